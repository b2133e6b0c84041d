"""The conversations in models/mini/samples, with their reference, and the error rate of a diarization."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pyannote.core import Annotation, Segment
from pyannote.metrics.diarization import DiarizationErrorRate

from tests.service import MINI

NAMES = ("voices2", "voices3", "conversation")


def recording(name: str) -> Path:
    return next(path for path in (MINI / "samples").glob(f"{name}.*") if path.suffix in (".ogg", ".flac"))


def truth(name: str) -> dict[str, Any]:
    known: dict[str, Any] = json.loads((MINI / "samples" / f"{name}.json").read_text())
    return known


def annotation(turns: list[tuple[float, float, str]]) -> Annotation:
    made = Annotation()
    for number, (start, end, speaker) in enumerate(turns):
        if end > start:
            made[Segment(start, end), number] = speaker
    return made


def reference(name: str) -> Annotation:
    return annotation([(turn["start"], turn["end"], turn["speaker"]) for turn in truth(name)["turns"]])


def error_rate(name: str, turns: list[tuple[float, float, str]]) -> float:
    """Diarization error rate without collar, overlap counted."""
    return float(DiarizationErrorRate()(reference(name), annotation(turns)))


def match_speakers(name: str, turns: list[tuple[float, float, str]]) -> dict[str, str]:
    """Map each speaker to a voice of the reference."""
    mapping: dict[str, str] = DiarizationErrorRate().optimal_mapping(reference(name), annotation(turns))
    return mapping
