"""A recording becomes a transcript with times, on the mini models."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jiwer
import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import recordings
from tests.recordings import RATE
from tests.service import SAMPLE
from workers.audio.windows import Window
from workers.device.run import Run
from workers.stages.decoder import list_temperatures
from workers.stages.language import choose_language

Transcribed = Callable[..., tuple[list[dict[str, Any]], Run]]
REFERENCE = json.loads(SAMPLE.with_suffix(".json").read_text())
MOST_WRONG = 0.15
MEDIAN_SECONDS = 0.1


def text(segments: list[dict[str, Any]]) -> str:
    return " ".join(segment["text"] for segment in segments)


def test_transcript_matches_the_recording(transcribed: Transcribed) -> None:
    segments, run = transcribed(SAMPLE)
    assert jiwer.wer(REFERENCE["text"], text(segments)) <= MOST_WRONG
    assert run.facts["language"] == "en"
    assert run.facts["audio_duration"] == pytest.approx(REFERENCE["duration"], abs=0.01)
    assert run.warnings == []


def test_segments_keep_their_contract(transcribed: Transcribed) -> None:
    segments, run = transcribed(SAMPLE)
    assert segments
    previous = 0.0
    for number, segment in enumerate(segments):
        assert segment["id"] == number
        assert previous <= segment["start"] <= segment["end"] <= run.facts["audio_duration"]
        previous = segment["start"]
        assert segment["speaker"] is None and segment["tokens"] and segment["text"] == segment["text"].strip()
        assert " ".join(word["word"] for word in segment["words"]) == segment["text"]
        before = segment["start"]
        for word in segment["words"]:
            assert before <= word["start"] <= word["end"] <= segment["end"]
            assert 0 <= word["probability"] <= 1 and word["speaker"] is None
            before = word["start"]
        numbers = [segment[key] for key in ("avg_logprob", "compression_ratio", "no_speech_prob", "temperature")]
        assert all(math.isfinite(number) for number in numbers)


def test_words_have_the_times_of_the_reference(transcribed: Transcribed) -> None:
    segments, _ = transcribed(SAMPLE)
    errors = distances(segments, REFERENCE["turns"])
    assert len(errors) >= len(REFERENCE["turns"])
    assert np.median(errors) <= MEDIAN_SECONDS


def distances(segments: list[dict[str, Any]], turns: list[dict[str, Any]]) -> list[float]:
    """Seconds from the edges of turns to their first and last words, for the words that were found."""
    words = [word for segment in segments for word in segment["words"]]
    found = []
    for turn in turns:
        first, last = turn["text"].split()[0], turn["text"].split()[-1]
        near = [w for w in words if turn["start"] - 1 < w["start"] and w["end"] < turn["end"] + 1]
        found += [abs(w["start"] - turn["start"]) for w in near if w["word"] == first]
        found += [abs(w["end"] - turn["end"]) for w in near if w["word"] == last]
    return found


def test_leading_silence_shifts_the_times(transcribed: Transcribed, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    late = recordings.wav(tmp_path / "a.wav", np.concatenate([recordings.silence(3), sound]))
    here, there = transcribed(SAMPLE)[0], transcribed(late)[0]
    assert there[0]["words"][0]["start"] - here[0]["words"][0]["start"] == pytest.approx(3, abs=0.1)


def test_silence_is_an_empty_list(transcribed: Transcribed, tmp_path: Path) -> None:
    silent = recordings.wav(tmp_path / "a.wav", recordings.silence(10))
    for params in ({}, {"vad_filter": True}, {"batch_size": 1}, {"batch_size": 1, "vad_filter": True}):
        assert transcribed(silent, **params)[0] == [], params


def test_a_single_sample_is_an_empty_list(transcribed: Transcribed, tmp_path: Path) -> None:
    assert transcribed(recordings.wav(tmp_path / "a.wav", np.full(1, 20_000, np.int16)))[0] == []


def test_vad_filter_keeps_the_times_of_the_recording(transcribed: Transcribed, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    gap = recordings.silence(20)
    path = recordings.wav(tmp_path / "a.wav", np.concatenate([gap, sound]))
    for batch_size in (1, 8):
        segments, _ = transcribed(path, vad_filter=True, min_silence_duration_ms=500, batch_size=batch_size)
        assert segments[0]["words"][0]["start"] == pytest.approx(20.4, abs=0.3), batch_size


@pytest.mark.parametrize("batch_size", [1, 8])
def test_vad_filter_keeps_every_word_at_its_time(transcribed: Transcribed, tmp_path: Path, batch_size: int) -> None:
    sound, pieces, turns, at = recordings.speech(SAMPLE), [], [], 0.0
    for silence, turn in zip(itertools.cycle([7.0, 31.0, 3.0]), REFERENCE["turns"], strict=False):
        cut = sound[int((turn["start"] - 0.2) * RATE) : int((turn["end"] + 0.2) * RATE)]
        pieces += [recordings.silence(silence), cut]
        begin = at + silence + 0.2
        turns.append(turn | {"start": begin, "end": begin + turn["end"] - turn["start"]})
        at += silence + len(cut) / RATE
    path = recordings.wav(tmp_path / "a.wav", np.concatenate([*pieces, recordings.silence(5)]))
    segments, _ = transcribed(path, vad_filter=True, threshold=0.2, batch_size=batch_size)
    errors = distances(segments, turns)
    assert jiwer.wer(REFERENCE["text"], text(segments)) <= MOST_WRONG
    assert len(errors) >= 2 * len(turns) - 2
    assert np.median(errors) <= MEDIAN_SECONDS and max(errors) <= 0.4


def test_sequential_decoding_finds_the_words_too(transcribed: Transcribed) -> None:
    segments, _ = transcribed(SAMPLE, batch_size=1)
    assert jiwer.wer(REFERENCE["text"], text(segments)) <= MOST_WRONG
    assert all(segment["words"] for segment in segments)


def test_without_word_timestamps_nothing_is_aligned(transcribed: Transcribed) -> None:
    segments, run = transcribed(SAMPLE, word_timestamps=False)
    assert segments and all(segment["words"] == [] for segment in segments)
    assert "align" not in {sent.stage for sent in run.sent}  # type: ignore[attr-defined]


def test_missing_aligner_leaves_whispers_own_word_times_and_a_warning(
    transcribed: Transcribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(self: Any, language: str, user: Any) -> Any:
        raise SpeechError("model_not_available", "There is no alignment model.")

    monkeypatch.setattr("workers.models.cache.WarmModels.aligner", missing)
    segments, run = transcribed(SAMPLE)
    assert jiwer.wer(REFERENCE["text"], text(segments)) <= MOST_WRONG
    assert all(segment["words"] for segment in segments)
    assert run.warnings == ["Word times are Whisper's own, and less exact: There is no alignment model."]


def test_broken_aligner_leaves_whispers_own_word_times_and_a_warning(
    transcribed: Transcribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("injected")

    monkeypatch.setattr("workers.stages.align.compute_emissions", broken)
    segments, run = transcribed(SAMPLE)
    assert text(segments) and all(segment["words"] for segment in segments)
    assert "could not be aligned" in run.warnings[0]


def test_language_the_model_does_not_support_is_reported(transcribed: Transcribed) -> None:
    with pytest.raises(SpeechError, match="does not support language 'fr'") as caught:
        transcribed(SAMPLE, lang="fr")
    assert caught.value.code == "unsupported_language"


def test_unsupported_compute_type_is_replaced_and_reported(transcribed: Transcribed) -> None:
    import ctranslate2

    unsupported = {"float16", "bfloat16", "int8_bfloat16"} - ctranslate2.get_supported_compute_types("cpu")
    if not unsupported:
        pytest.skip("this processor supports every compute type")
    asked = sorted(unsupported)[0]
    segments, run = transcribed(SAMPLE, compute_type=asked)
    assert segments
    assert run.warnings == [f"compute_type {asked} is not supported on this cpu; int8 was used"]


def test_translation_has_no_word_times_but_a_warning(transcribed: Transcribed) -> None:
    segments, run = transcribed(SAMPLE, lang="de", is_translate=True)
    assert segments and all(segment["words"] == [] for segment in segments)
    assert "translation" in run.warnings[0]


def test_token_that_does_not_fit_the_model_is_named(transcribed: Transcribed) -> None:
    with pytest.raises(SpeechError, match="suppress_tokens") as caught:
        transcribed(SAMPLE, suppress_tokens="99999999")
    assert caught.value.code == "invalid_parameters"


@pytest.mark.parametrize(
    ("params", "word"),
    [
        ({"initial_prompt": "hello " * 1000}, "initial_prompt"),
        ({"hotwords": "music " * 200}, "hotwords"),
        ({"batch_size": "1", "prefix": "music " * 200}, "prefix"),
        ({"batch_size": "1", "max_new_tokens": "440"}, "max_new_tokens"),
    ],
)
def test_text_that_does_not_fit_the_model_is_shortened_with_a_warning(
    transcribed: Transcribed, params: dict[str, Any], word: str
) -> None:
    _, run = transcribed(SAMPLE, **params)
    warning, *_ = run.warnings  # such a prompt can make the decoder repeat itself, which is another one
    assert warning.startswith(f"{word} ") and "maximum is" in warning


@pytest.mark.parametrize("batch_size", [1, 8])
def test_the_longest_prompts_that_fit_are_decoded(transcribed: Transcribed, batch_size: int) -> None:
    params = {"initial_prompt": "hello " * 223, "hotwords": "music " * 112, "batch_size": batch_size}
    transcribed(SAMPLE, **params)


def test_progress_passes_through_the_stages_and_never_falls(transcribed: Transcribed) -> None:
    _, run = transcribed(SAMPLE)
    sent = run.sent  # type: ignore[attr-defined]
    stages = list(dict.fromkeys(report.stage for report in sent))
    assert stages == ["decode", "transcribe", "align"]
    assert [r.progress for r in sent] == sorted(r.progress for r in sent)


def test_chunk_length_divides_the_recording(transcribed: Transcribed) -> None:
    short, _ = transcribed(SAMPLE, chunk_length=4)
    long, _ = transcribed(SAMPLE, chunk_length=30)
    assert len({segment["seek"] for segment in short}) > len({segment["seek"] for segment in long}) == 1


def test_fallback_temperatures_rise_to_one() -> None:
    assert list_temperatures(0.0) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert list_temperatures(0.5) == [0.5, 0.7, 0.9]
    assert list_temperatures(1.0) == [1.0]
    assert list_temperatures(1.5) == [1.5]


@pytest.mark.parametrize(("params", "word"), [({"lang": "de"}, "lang de"), ({"is_translate": "true"}, "is_translate")])
def test_english_only_model_warns_of_other_languages(
    make_run: Callable[..., Run], params: dict[str, str], word: str
) -> None:
    english = SimpleNamespace(model=SimpleNamespace(is_multilingual=False))
    run = make_run(SAMPLE, **params)
    assert choose_language(np.zeros(16_000, np.float32), [Window(0.0, 1.0, True)], english, run) == "en"
    assert run.warnings == [f"{word} has no effect: model mini supports English only"]
