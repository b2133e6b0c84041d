"""Share a device among the tasks of a process, by turns.

A model call happens inside a turn. The next turn is for the task that has used the device least (least attained
service): a short task passes a long one at its next call.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

OVERDUE_SECONDS = 10.0  # who has waited so long goes first, however much it has used: a long task is never starved
LOOK_SECONDS = 0.5


class StoppedError(BaseException):
    """The run was stopped: its task was cancelled, or its deadline has passed.

    Not an Exception: a stage that survives errors must not survive this.
    """


class Share:
    """What one run has used of the device, and how long all of its threads have waited for other runs.

    ``used`` is in core-seconds. Its other attributes belong to Turns.
    """

    def __init__(self) -> None:
        self.used = 0.0
        self.stopped = False
        self.waited = 0.0
        self.waiting = 0  # threads that wait
        self.idle_since: float | None = None  # when they began to, if no other thread of the run has a turn
        self.began: dict[Turn, float] = {}

    def check(self) -> None:
        """Raise StoppedError if the run was stopped."""
        if self.stopped:
            raise StoppedError


class Turns:
    """Who uses the device, and who waits for it.

    ``cores`` may be used at once: the threads of a CPU slot, or 1 for a GPU.
    """

    def __init__(self, cores: int = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.cores = cores
        self._clock = clock
        self._free = cores
        self._changed = threading.Condition()
        self._waiting: list[Turn] = []
        self._numbers = itertools.count()

    @contextmanager
    def take(self, share: Share, cores: int | None = None) -> Iterator[Turn]:
        """Wait for a turn on ``cores`` of the device (default: all of them), and give it back at the end.

        Raises StoppedError.
        """
        with self.take_unless(lambda: False, share, cores) as turn:
            assert turn is not None
            yield turn

    @contextmanager
    def take_unless(
        self, unneeded: Callable[[], bool], share: Share, cores: int | None = None
    ) -> Iterator[Turn | None]:
        """Like ``take``; None, without a turn, once it is ``unneeded``."""
        turn = Turn(self, share, min(cores or self.cores, self.cores))
        if not self._begin(turn, unneeded):
            yield None
            return
        try:
            yield turn
        finally:
            self._end(turn)

    @contextmanager
    def wait_for_others(self, share: Share) -> Iterator[None]:
        """Count the time inside as waiting for other runs: for a model that they load, or for memory that they use."""
        self._count_waiting(share, 1)
        try:
            yield
        finally:
            self._count_waiting(share, -1)

    def stop(self, share: Share) -> None:
        """Let the run raise StoppedError where it next needs the device, or checks."""
        with self._changed:
            share.stopped = True
            self._changed.notify_all()

    def wake(self) -> None:
        """Let the waiting threads ask again whether their turn is unneeded."""
        with self._changed:
            self._changed.notify_all()

    def charge(self, share: Share, seconds: float) -> None:
        """Add to what a run has used: another run's turn has done its work, or the reverse."""
        with self._changed:
            share.used += seconds

    def measure_wait(self, share: Share) -> tuple[float, bool]:
        """Return the seconds that a run has waited for others, and whether it does so now."""
        with self._changed:
            since = share.idle_since
            return share.waited + (self._clock() - since if since is not None else 0.0), since is not None

    def pass_on(self, turn: Turn) -> None:
        """Let tasks go first that have used the device less; return at the next turn."""
        turn.share.check()
        with self._changed:
            if not self._waiting:
                return
        self._end(turn)
        self._begin(turn, lambda: False)

    def _begin(self, turn: Turn, unneeded: Callable[[], bool]) -> bool:
        share = turn.share
        with self._changed:
            turn.since, turn.number = self._clock(), next(self._numbers)
            self._waiting.append(turn)
            self._note(share, waiting=1)
            try:
                while not (self._free >= turn.cores and self._find_next() is turn):
                    share.check()
                    if unneeded():
                        return False
                    self._changed.wait(LOOK_SECONDS)
                share.check()
                self._free -= turn.cores
                share.began[turn] = self._clock()
                return True
            finally:
                self._waiting.remove(turn)
                self._note(share, waiting=-1)
                self._changed.notify_all()  # the next one may fit as well

    def _end(self, turn: Turn) -> None:
        with self._changed:
            began = turn.share.began.pop(turn, None)
            if began is None:  # stopped while it waited for its next turn
                return
            turn.share.used += (self._clock() - began) * turn.cores
            self._free += turn.cores
            self._note(turn.share)
            self._changed.notify_all()

    def _find_next(self) -> Turn:
        now = self._clock()

        def rank(turn: Turn) -> tuple[bool, float, int]:
            if now - turn.since > OVERDUE_SECONDS:
                return False, turn.since, turn.number
            running = sum((now - began) * each.cores for each, began in turn.share.began.items())
            return True, turn.share.used + running, turn.number

        return min(self._waiting, key=rank)

    def _count_waiting(self, share: Share, change: int) -> None:
        with self._changed:
            self._note(share, waiting=change)

    def _note(self, share: Share, waiting: int = 0) -> None:
        """Bring the waiting time of a run up to date, after any change."""
        now = self._clock()
        if share.idle_since is not None:
            share.waited += now - share.idle_since
        share.waiting += waiting
        share.idle_since = now if share.waiting and not share.began else None


class Turn:
    """The use of ``cores`` of a device by one thread of a run."""

    def __init__(self, turns: Turns, share: Share, cores: int) -> None:
        self.share = share
        self.cores = cores
        self.since = 0.0
        self.number = 0
        self._turns = turns

    def pass_on(self) -> None:
        """Let tasks go first that have used the device less; return at the next turn.

        For model calls that are long, between their parts. Raises StoppedError.
        """
        self._turns.pass_on(self)
