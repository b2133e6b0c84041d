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
from pathlib import Path
from typing import Any

import numpy as np

from workers.device import main
from workers.device.run import Run
from workers.models.cache import WarmModels

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


def serve(*arguments: Any) -> None:
    """The device process as it is, but for two places where it looks for orders."""
    enter, init = Run.enter, WarmModels.__init__

    def entering(run: Run, stage: str, until: float) -> None:
        enter(run, stage, until)
        obey(stage, getattr(run.params, "initial_prompt", None))

    def initiated(models: WarmModels, *args: Any, tell: Callable[[str | None], None], **kwargs: Any) -> None:
        def telling(model: str | None) -> None:
            tell(model)
            if model is not None:
                obey(f"load {model}", None)

        init(models, *args, tell=telling, **kwargs)

    Run.enter = entering  # type: ignore[method-assign]
    WarmModels.__init__ = initiated  # type: ignore[method-assign,assignment]
    main.serve(*arguments)


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
