"""Which slots this machine offers: one per GPU, or CPU slots that share the cores."""

from __future__ import annotations

import os

from app.core.errors import SettingsError
from app.core.settings import BgmSeparation, Workers
from workers.device.protocol import Slot


def list_slots(workers: Workers, gpus: int | None = None) -> list[Slot]:
    """One Slot per process to be. ``gpus`` is counted when not given. Raises SettingsError when ``cuda`` has no GPU."""
    if workers.device != "cpu":
        found = count_gpus() if gpus is None else gpus
        if found:
            return [Slot(number, "cuda", number, workers.cpu_threads) for number in range(found)]
        if workers.device == "cuda":
            raise SettingsError("workers.device is cuda, but no CUDA device is usable here; use auto or cpu")
    threads = workers.cpu_threads or max(1, cores() // workers.cpu_slots)
    return [Slot(number, "cpu", None, threads) for number in range(workers.cpu_slots)]


def separation_device(separation: BgmSeparation, slot: Slot) -> str:
    """Where ``slot`` separates: on its own device, or on the CPU if config.yaml says so. Raises SettingsError."""
    if separation.device == "cuda" and slot.device != "cuda":
        raise SettingsError("bgm_separation.device is cuda, but the models run on the CPU here; use auto or cpu")
    return slot.device if separation.device == "auto" else separation.device


def count_gpus() -> int:
    """CUDA devices that CTranslate2 can use, CUDA_VISIBLE_DEVICES respected."""
    import ctranslate2

    return int(ctranslate2.get_cuda_device_count())


def cores() -> int:
    """Cores this process may use, which in a container may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
