"""Provoke real errors of the device: the classification must be right, and a new process must work."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch

from bench.figures import Figure
from workers.device import cuda_errors

TOO_MUCH = 2**46  # bytes
CHILD_SECONDS = 120.0


def measure(device: str, quick: bool) -> Iterator[Figure | str]:
    error = _catch(lambda: torch.empty(TOO_MUCH, dtype=torch.uint8, device=device))
    yield f"out of memory: {_describe(error)}"
    yield Figure("out of memory: not seen as such", not cuda_errors.is_out_of_memory(error), "", 0)
    yield Figure("out of memory: seen as sticky", cuda_errors.is_sticky(error), "", 0)
    yield Figure("out of memory: device unusable afterwards", not _works(device), "", 0)
    if device != "cuda":
        yield "a CPU has no sticky errors: skipped"
        return
    broken = _run_child("break")
    yield from (f"device-side assert: {message}" for message in broken["messages"])
    yield Figure("device-side assert: not seen as sticky, of 2", broken["sticky"].count(False), "", 0)
    yield Figure("device-side assert: seen as out of memory", broken["memory"].count(True), "", 0)
    yield Figure("device-side assert: device usable in that process", broken["works"], "", 0)
    yield Figure("device-side assert: device unusable in a new process", not _run_child("work")["works"], "", 0)
    yield Figure("device-side assert: device unusable in this process", not _works(device), "", 0)


def _run_child(task: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.gpu.faults", task]
    done = subprocess.run(command, capture_output=True, text=True, timeout=CHILD_SECONDS)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def _break_device() -> dict[str, Any]:
    """Let a kernel fail; the second error is that of a correct call after it."""

    def read_beyond_the_end() -> None:
        torch.zeros(4, device="cuda")[torch.tensor([10], device="cuda")]
        torch.cuda.synchronize()

    errors = [_catch(read_beyond_the_end), _catch(lambda: torch.zeros(4, device="cuda").sum().item())]
    return {
        "messages": [_describe(error) for error in errors],
        "sticky": [cuda_errors.is_sticky(error) for error in errors],
        "memory": [cuda_errors.is_out_of_memory(error) for error in errors],
        "works": _works("cuda"),
    }


def _catch(call: Callable[[], object]) -> Exception:
    try:
        call()
    except (RuntimeError, MemoryError) as error:  # torch's errors are RuntimeErrors
        return error
    raise AssertionError("no error was raised")


def _works(device: str) -> bool:
    try:
        return float((torch.ones(64, 64, device=device) @ torch.ones(64, 64, device=device)).sum()) == 64**3
    except RuntimeError as error:
        print(f"  {_describe(error)}")
        return False


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0]}"


if __name__ == "__main__":
    print(json.dumps(_break_device() if sys.argv[1] == "break" else {"works": _works("cuda")}))
