"""List the slots of this machine.

There are ``workers.slots_per_gpu`` for each GPU, or else CPU slots that share the cores.
"""

from __future__ import annotations

import os

from app.core.errors import SettingsError
from app.core.settings import BgmSeparation, Diarization, Workers
from workers.device.protocol import Slot


def list_slots(workers: Workers, gpus: int | None = None) -> list[Slot]:
    """List one Slot per device process.

    Raises SettingsError for ``cuda`` without a GPU.
    ``gpus`` is the number of GPUs; it is counted when not given.
    """
    if workers.device != "cpu":
        found = count_gpus() if gpus is None else gpus
        if found:
            gpus_of_slots = [gpu for gpu in range(found) for _ in range(workers.slots_per_gpu)]
            return [Slot(number, "cuda", gpu, workers.cpu_threads) for number, gpu in enumerate(gpus_of_slots)]
        if workers.device == "cuda":
            raise SettingsError("workers.device is cuda, but no CUDA device is usable here; use auto or cpu")
    threads = count_threads(workers)
    return [Slot(number, "cpu", None, threads) for number in range(workers.cpu_slots)]


def choose_separation_device(separation: BgmSeparation, slot: Slot) -> str:
    """Return the device on which ``slot`` runs separation.

    Raises SettingsError for ``cuda`` on a CPU slot.
    """
    if separation.device == "cuda" and slot.device != "cuda":
        raise SettingsError("bgm_separation.device is cuda, but the models run on the CPU here; use auto or cpu")
    return slot.device if separation.device == "auto" else separation.device


def choose_diarization_device(diarization: Diarization, slot: Slot) -> str:
    """Return the device on which ``slot`` runs diarization."""
    return "cpu" if diarization.device == "cpu" else slot.device


def count_threads(workers: Workers) -> int:
    """Count the threads of a CPU slot of this machine."""
    return workers.cpu_threads or max(1, count_cores() // workers.cpu_slots)


def count_gpus() -> int:
    """Count the CUDA devices that CTranslate2 can use.

    CUDA_VISIBLE_DEVICES limits them.
    """
    import ctranslate2  # imported here: not needed with device: cpu

    return int(ctranslate2.get_cuda_device_count())


def count_cores() -> int:
    """Count the cores this process may use.

    In a container they can be fewer than the machine has.
    """
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
