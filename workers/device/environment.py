"""What the speech libraries read from the environment when they are imported."""

from __future__ import annotations

import os

from workers.device.protocol import Slot
from workers.models import hub


def prepare_environment(slot: Slot) -> None:
    """Set what libraries read at import; to be called before any of them is imported, in the device process."""
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    hub.prepare_environment()
    os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"  # this process writes a log
    os.environ["DO_NOT_TRACK"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    if slot.cuda_index is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = visible_device(slot.cuda_index, os.environ.get("CUDA_VISIBLE_DEVICES"))
    if slot.threads:
        os.environ["OMP_NUM_THREADS"] = str(slot.threads)


def visible_device(index: int, visible: str | None) -> str:
    """The ``index``-th of the devices that are visible already, so that an operator's own choice holds."""
    names = [name.strip() for name in (visible or "").split(",") if name.strip()]
    return names[index] if index < len(names) else str(index)
