"""Inject faults into the real processes, through files in a folder.

A device process reads the folder when it enters a stage or loads a model. A file names the stage (``transcribe``, or
``load whisper mini``), the fault, how often it happens, and the prompt of the tasks that it affects.
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
from workers.device.messenger import Messenger
from workers.device.protocol import Command, Job, Loading, Message, Progress, RunKey, Said

FOLDER = "FAULTS"
ALWAYS = 10**6
HOLD = "hold"  # wait until the fault is removed


def inject(folder: Path, stage: str, act: str, times: int = 1, prompt: str | None = None) -> Path:
    """Run ``act`` the next ``times`` that a process enters ``stage``, only for tasks with ``prompt`` if it is given."""
    path = folder / f"{time.monotonic_ns()}.fault"
    path.write_text(json.dumps({"stage": stage, "act": act, "times": times, "prompt": prompt}))
    return path


def happened(path: Path) -> int:
    """Count how often an injected fault has happened."""
    return len(list(path.parent.glob(f"{path.name}.*")))


class FaultyMessenger(Messenger):
    """The Pipe of a device process; runs the faults of a stage or a model after its message is sent.

    A fault happens in the thread that sends the message: that of the run.
    """

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._prompts: dict[RunKey, str | None] = {}
        self._stages: dict[RunKey, str] = {}

    def receive(self, seconds: float) -> Command | None:
        command = super().receive(seconds)
        if isinstance(command, Job):
            self._prompts[command.key] = getattr(command.params, "initial_prompt", None)
        return command

    def send(self, message: Message) -> None:
        super().send(message)
        match message:
            case Loading(str(model)) | Said(_, Loading(str(model))):
                run_faults(f"load {model}", None)
            case Said(key, Progress(stage)) if stage != self._stages.get(key):
                self._stages[key] = stage
                run_faults(stage, self._prompts[key])


def serve(connection: Connection, *arguments: Any) -> None:
    """Run the real device process on a Pipe that injects faults."""
    main.run_jobs(FaultyMessenger(connection), *arguments)


def run_faults(stage: str, prompt: str | None) -> None:
    for path in sorted(Path(os.environ[FOLDER]).glob("*.fault")):
        try:
            wanted = json.loads(path.read_text())
        except FileNotFoundError:  # removed meanwhile
            continue
        if wanted["stage"] == stage and wanted["prompt"] in (None, prompt) and _counted(path, wanted["times"]):
            if wanted["act"] == HOLD:
                while path.exists():
                    time.sleep(0.02)
            else:
                ACTS[wanted["act"]]()


def _counted(path: Path, times: int) -> bool:
    """Count one more happening, up to ``times``; in files, because the process may be about to die."""
    number = happened(path)
    if number < times:
        path.with_name(f"{path.name}.{number}").touch()
    return number < times


def hang() -> None:
    """Sleep in C with the GIL held and all signals blocked, as a call of a driver may do."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    ctypes.PyDLL(None).sleep(3600)


def exhaust_memory() -> None:
    """Allocate more memory than this process is allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    in_use = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (in_use + 2**26, hard))
    try:
        np.ones(2**30, np.uint8)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def illegal_access() -> None:
    raise RuntimeError("CUDA error: an illegal memory access was encountered")


def unexpected_error() -> None:
    raise RuntimeError("unexpected failure")


ACTS: dict[str, Callable[[], object]] = {
    "sigkill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "sigsegv": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(3),
    "abort": os.abort,  # as after an allocation that fails in C++
    "out of memory": exhaust_memory,
    "cuda error": illegal_access,
    "unexpected error": unexpected_error,
    "hang": hang,
    "pause": lambda: time.sleep(3),
    "long pause": lambda: time.sleep(600),
}
