"""Fill the batches of a model with inputs of several tasks.

What the tasks have waiting for the same model call is computed in one call, by the task whose turn it is. A call is
never held back for company.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from workers.device.turns import Share, Turns

T = TypeVar("T")
R = TypeVar("R")


class Batcher:
    """The inputs that wait for a turn, by model call.

    Each task gives the largest batch that it wants; its inputs are never computed in a larger one.
    """

    def __init__(self, turns: Turns, clock: Callable[[], float]) -> None:
        self._turns = turns
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[Hashable, list[_Input]] = defaultdict(list)

    def compute(
        self,
        key: Hashable,
        inputs: Sequence[T],
        call: Callable[[list[T]], Sequence[R]],
        share: Share,
        largest: int,
        cores: int | None = None,
    ) -> list[R]:
        """Return the result of ``call`` for each of ``inputs``, in order.

        ``call`` gets a list of inputs and returns as many results. ``key`` is equal for calls that do the same: inputs of
        other tasks with this key may be computed in the same call. If that fails, each task's own are computed alone, so an
        error of one task never reaches another. Raises StoppedError, and the errors of ``call`` for these inputs.
        """
        ours = [_Input(given, share, largest) for given in inputs]
        with self._lock:
            self._waiting[key] += ours
        try:
            while not all(each.computed for each in ours):
                with self._turns.take_unless(lambda: all(each.computed for each in ours), share, cores) as turn:
                    if turn is not None:
                        self._compute_batch(key, ours, call)
        finally:
            with self._lock:
                left = [each for each in self._waiting.pop(key, []) if each not in ours]
                if left:
                    self._waiting[key] = left
        return [each.result for each in ours]

    def _compute_batch(self, key: Hashable, ours: list[_Input], call: Callable[[list[Any]], Sequence[Any]]) -> None:
        batch = self._gather(key, ours)
        if not batch:
            return
        owners = {each.share for each in batch}
        try:
            self._compute(batch, call)
        except BaseException as error:
            with self._lock:
                for each in batch:
                    each.taken = False
                    each.alone = each.alone or len(owners) > 1
            if len(owners) == 1 or not isinstance(error, Exception):
                raise
            # the next turn computes only what is ours

    def _compute(self, batch: list[_Input], call: Callable[[list[Any]], Sequence[Any]]) -> None:
        began = self._clock()
        results = call([each.given for each in batch])
        spent = (self._clock() - began) / len(batch)
        runner = batch[0].share
        for each, result in zip(batch, results, strict=True):
            each.result, each.computed = result, True
            if each.share is not runner:
                self._turns.charge(each.share, spent)
                self._turns.charge(runner, -spent)
        self._turns.wake()

    def _gather(self, key: Hashable, ours: list[_Input]) -> list[_Input]:
        """Take the next inputs for one call: ours first, then those of other tasks that fit."""
        with self._lock:
            mine = [each for each in ours if not each.taken]
            batch = mine[: mine[0].largest] if mine else []
            if batch and not batch[0].alone:
                for each in self._waiting[key]:
                    fits = len(batch) < min(each.largest, batch[0].largest)
                    if fits and not (each.taken or each.alone) and each.share is not batch[0].share:
                        batch.append(each)
            for each in batch:
                each.taken = True
        return batch


class _Input:
    """One input of a task, and its result."""

    def __init__(self, given: Any, share: Share, largest: int) -> None:
        self.given = given
        self.share = share
        self.largest = largest
        self.taken = False  # for a call
        self.alone = False  # a call with other tasks has failed
        self.computed = False
        self.result: Any = None
