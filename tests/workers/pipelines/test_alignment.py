"""A known transcript gets the times of its words, from text alone or from segments."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from app.core import settings
from app.core.errors import SpeechError
from app.core.params import AlignmentParams
from tests.service import SAMPLE
from tests.workers.conftest import SLOT
from workers.alignment import emissions
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.pipelines import alignment
from workers.stages import given

TRUTH = json.loads(SAMPLE.with_suffix(".json").read_text())
TEXT = TRUTH["text"]
Aligned = Callable[..., tuple[list[dict[str, Any]], Run[AlignmentParams]]]


@pytest.fixture
def aligned(mini: settings.Settings, models: WarmModels) -> Aligned:
    def align(transcript: Any, lang: str = "en") -> tuple[list[dict[str, Any]], Run[AlignmentParams]]:
        params = AlignmentParams(transcript="", lang=lang)
        job = Job("test", 1, "alignment", params, [], str(SAMPLE), transcript=json.dumps(transcript))
        run = Run(job, SLOT, mini, models, lambda progress: None)
        kind, text = alignment.run(run)
        assert kind == "json" and run.facts["language"] == lang
        return json.loads(text), run

    return align


def words_of(segments: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [word for segment in segments for word in segment["words"]]


def assert_near_the_truth(segments: list[dict[str, Any]]) -> None:
    found, known = words_of(segments), TRUTH["words"]
    assert [word["word"] for word in found] == [word["word"] for word in known]
    off = [abs(word["start"] - real["start"]) for word, real in zip(found, known, strict=True)]
    assert np.median(off) < 0.1 and max(off) < 0.5


def test_a_text_without_times_gets_them(aligned: Aligned) -> None:
    segments, run = aligned(TEXT)
    assert_near_the_truth(segments)
    assert run.warnings == [] and [segment["id"] for segment in segments] == list(range(len(segments)))


def test_a_long_recording_is_heard_in_windows(aligned: Aligned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emissions, "LONGEST_SECONDS", 5.0)
    monkeypatch.setattr(emissions, "WINDOW_SECONDS", 4.0)
    assert_near_the_truth(aligned(TEXT)[0])


def test_windows_cover_a_span_without_gap_or_overlap() -> None:
    def compute(span: tuple[float, float]) -> Any:
        return np.arange(round(50 * span[0]), round(50 * span[1]))[:, None]

    for span in ((0.0, 50.0), (3.0, 200.0), (10.0, 70.02)):
        frames = emissions.compute_in_windows(span, compute)[:, 0]
        assert abs(len(frames) - 50 * (span[1] - span[0])) <= 1
        assert set(np.diff(frames)) <= {0, 1, 2} and (np.diff(frames) != 1).sum() <= 3


def test_segments_keep_their_ids_and_speakers(aligned: Aligned) -> None:
    said = TRUTH["words"]
    parts = [
        {"id": 4, "text": "hello thanks good", "start": 0.5, "end": said[2]["end"] + 0.1, "speaker": "A"},
        {
            "id": 7,
            "text": "sound tomorrow. Please!",
            "start": said[3]["start"] - 0.1,
            "end": said[5]["end"],
            "speaker": None,
        },
    ]
    segments, run = aligned(parts)
    assert [(segment["id"], segment["text"], segment["speaker"]) for segment in segments] == [
        (4, "hello thanks good", "A"),
        (7, "sound tomorrow. Please!", None),
    ]
    assert [word["speaker"] for word in words_of(segments)] == ["A"] * 3 + [None] * 3
    assert (
        max(abs(word["start"] - real["start"]) for word, real in zip(words_of(segments), said[:6], strict=True)) < 0.5
    )
    assert run.warnings == []


def test_segments_that_cannot_be_aligned_share_their_time(aligned: Aligned) -> None:
    behind = {"id": 1, "text": "after the end", "start": 500.0, "end": 501.0, "speaker": None}
    first = {"id": 0, "text": "hello", "start": 0.5, "end": 1.5, "speaker": None}
    segments, run = aligned([first, behind])
    assert run.warnings == ["1 of 2 segments could not be aligned; their words share the segment's time."]
    assert [word["word"] for word in segments[1]["words"]] == ["after", "the", "end"]
    assert all(word["end"] <= run.facts["audio_duration"] for word in words_of(segments))


def test_a_text_without_letters_has_no_words(aligned: Aligned) -> None:
    segments, run = aligned(" ")
    assert segments == [] and run.warnings == ["The transcript has no text that could be aligned."]


def test_a_text_that_is_too_long_for_one_alignment_needs_times(
    aligned: Aligned, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given, "MOST_CELLS", 100_000)
    with pytest.raises(SpeechError) as caught:
        aligned(TEXT)
    assert caught.value.code == "transcript_needs_times"


def test_a_language_without_a_model_fails_with_advice(aligned: Aligned) -> None:
    with pytest.raises(SpeechError) as caught:
        aligned(TEXT, lang="fr")
    assert caught.value.code == "model_not_available"
