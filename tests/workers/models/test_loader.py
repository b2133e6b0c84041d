"""Whisper decodes windows side by side on a CPU, and one batch after the other on a GPU."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.core.settings import Settings
from workers.device.protocol import Slot
from workers.models.loader import Loader


@pytest.mark.parametrize(
    ("slot", "workers", "threads"),
    [
        (Slot(0, "cpu", None, 2), 2, 1),
        (Slot(0, "cpu", None, 16), 8, 2),
        (Slot(0, "cpu", None, 1), 1, 1),
        (Slot(0, "cuda", 0, 4), 1, 4),
        (Slot(0, "cuda", 0, 0), 1, 0),
    ],
)
def test_threads_of_the_slot_are_divided_among_whispers_workers(
    mini: Settings, monkeypatch: pytest.MonkeyPatch, slot: Slot, workers: int, threads: int
) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr("faster_whisper.WhisperModel", lambda _, **given: asked.update(given) or SimpleNamespace())
    Loader(slot, mini).load_whisper("mini", "int8")
    assert (asked["device"], asked["num_workers"], asked["cpu_threads"]) == (slot.device, workers, threads)
