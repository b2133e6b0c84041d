"""A device process for tests: it does what the ``source`` of each job says."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from app.core.db.states import VAD
from app.core.params import VadParams
from workers.device.messenger import Channel, Messenger
from workers.device.protocol import (
    Ended,
    Job,
    Loading,
    Outcome,
    Progress,
    Ready,
    Resident,
    Said,
    Slot,
    Stop,
    Warm,
)

COMPLETE, GO_ON, DIE, HANG, LARGE = "complete", "go on", "die", "hang", "large"
LARGE_RESULT = "x" * 20_000_000


def make_job(uuid: str, act: str) -> Job[Any]:
    return Job(uuid, 1, VAD, VadParams(), [], act)


def serve_slot(channel: Channel, slot: Slot, *_: Any) -> None:
    """Like workers.device.main.serve_slot."""
    for message in (Loading("a model"), Loading(None), Ready(), Warm()):
        channel.send(message)
    while True:
        try:
            command = channel.receive(0.1)
        except EOFError:
            return
        match command:
            case Job():
                channel.send(Said(command.key, Progress("vad", 0.5, {"audio_duration": 1.0})))
                ACTS[command.source](channel, command)
            case Stop(key):
                channel.send(Said(key, Ended()))


def serve(connection: Connection, slot: Slot, *_: Any) -> None:
    """Like workers.device.main.serve."""
    serve_slot(Messenger(connection), slot)


def _complete(channel: Channel, job: Job[Any], result: str = "[]") -> None:
    channel.send(Resident(123))
    channel.send(Said(job.key, Outcome("json", result, [], 1.0, {})))


def _hang(channel: Channel, job: Job[Any]) -> None:
    """Sleep in C with the GIL held and all signals blocked, as a call of a driver may do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(3600)


ACTS: dict[str, Callable[[Channel, Job[Any]], object]] = {
    COMPLETE: _complete,
    GO_ON: lambda channel, job: None,
    DIE: lambda channel, job: os.kill(os.getpid(), signal.SIGKILL),
    HANG: _hang,
    LARGE: lambda channel, job: _complete(channel, job, LARGE_RESULT),
}
