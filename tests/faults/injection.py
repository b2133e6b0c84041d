"""Faults inside the real processes: orders in a folder, which a device process looks into as it enters a stage or loads a model.

An order names the stage (``transcribe``, or ``load whisper mini``), what shall happen there, how often, and for which prompt.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from workers.device import main
from workers.device.protocol import Job, Loading, Message, Progress

FOLDER = "FAULTS"
ALWAYS = 10**6


def order(folder: Path, stage: str, act: str, times: int = 1, prompt: str | None = None) -> Path:
    """Let ``act`` happen the next ``times`` that a process enters ``stage`` (for a task with this ``initial_prompt``)."""
    path = folder / f"{time.monotonic_ns()}.order"
    path.write_text(json.dumps({"stage": stage, "act": act, "times": times, "prompt": prompt}))
    return path


def happened(path: Path) -> int:
    """How often what was ordered has happened."""
    return len(list(path.parent.glob(f"{path.name}.*")))


class Obedient:
    """The Pipe of a device process: what it says of a stage or a model is passed on, and then an order for it is obeyed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._prompt: str | None = None
        self._stage: str | None = None

    def recv(self) -> Job:
        job: Job = self._connection.recv()
        self._prompt, self._stage = job.params.get("initial_prompt"), None
        return job

    def send(self, message: Message) -> None:
        self._connection.send(message)
        match message:
            case Loading(str(model)):
                obey(f"load {model}", None)
            case Progress(stage) if stage != self._stage:
                self._stage = stage
                obey(stage, self._prompt)


def serve(connection: Connection, *arguments: Any) -> None:
    """The device process as it is, on a Pipe that looks for orders."""
    main.serve(Obedient(connection), *arguments)  # type: ignore[arg-type]


def obey(stage: str, prompt: str | None) -> None:
    for path in sorted(Path(os.environ[FOLDER]).glob("*.order")):
        wanted = json.loads(path.read_text())
        if wanted["stage"] == stage and wanted["prompt"] in (None, prompt) and _counted(path, wanted["times"]):
            ACTS[wanted["act"]]()


def _counted(path: Path, times: int) -> bool:
    """Whether it may happen once more; counted in files, since the process may not live to tell."""
    number = happened(path)
    if number < times:
        path.with_name(f"{path.name}.{number}").touch()
    return number < times


def hang() -> None:
    """Sleep in C with the interpreter's lock held and every signal blocked, as a driver's call may."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(3600)


def exhaust_memory() -> None:
    """Ask for more than this process may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**26, hard))
    try:
        np.ones(2**30, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def illegal_access() -> None:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def unforeseen() -> None:
    raise RuntimeError("nobody foresaw this")


ACTS: dict[str, Callable[[], object]] = {
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sigsegv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(3),
    "abort": os.abort,  # what an allocation that fails in C++ ends in
    "out of memory": exhaust_memory,
    "cuda error": illegal_access,
    "unforeseen": unforeseen,
    "hang": hang,
    "pause": lambda: time.sleep(3),
    "long pause": lambda: time.sleep(600),
}
