"""Set the environment variables of the speech libraries.

The libraries read them at import.
"""

from __future__ import annotations

import os

from workers.device.protocol import Slot
from workers.models import hub


def prepare_environment(slot: Slot) -> None:
    """Set the libraries' environment variables.

    Call it in the device process, before importing any of them.
    """
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # telemetry is disabled
    hub.prepare_environment()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # standard error is a log file here
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # its thread pool would compete with the models for the cores
    if slot.cuda_index is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_device(slot.cuda_index, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if slot.threads:
        os.environ["OMP_NUM_THREADS"] = str(slot.threads)


def visible_device(index: int, visible: str | None) -> str:
    """Return the value of CUDA_VISIBLE_DEVICES for one GPU.

    ``index`` counts within ``visible``, the operator's own CUDA_VISIBLE_DEVICES, which may exclude GPUs.
    """
    names = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return names[index] if index < len(names) else str(index)
