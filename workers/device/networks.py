"""Take turns with a torch network, on the device where it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from workers.device.run import Run
from workers.device.threads import use_threads


@contextmanager
def take_turn(run: Run[Any], device: str) -> Iterator[Callable[[], None]]:
    """Have the turn of ``run`` for calls of a network on ``device``.

    The result is called between the parts of a long call: it lets tasks go first that have used the device less, and
    raises StoppedError. A network on the CPU of a GPU slot needs no turn: other tasks use the GPU meanwhile.
    """
    if device == "cpu":
        use_threads(run.slot.threads)
    if device != run.slot.device:
        yield run.share.check
    else:
        with run.turn() as turn:
            yield turn.pass_on
