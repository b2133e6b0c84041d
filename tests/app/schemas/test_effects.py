"""No parameter is silently ignored: it changes the run, or a warning says why not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import pytest
from flask import Flask

from app.core.params import TranscriptionParams
from app.current import get_defaults
from app.schemas.effects import describe_ignored

OTHER = {
    "model_size": "other",
    "lang": "de",
    "is_translate": True,
    "beam_size": 4,
    "best_of": 4,
    "patience": 2.0,
    "length_penalty": 2.0,
    "repetition_penalty": 2.0,
    "no_repeat_ngram_size": 3,
    "temperature": 0.4,
    "compression_ratio_threshold": 2.0,
    "log_prob_threshold": -2.0,
    "no_speech_threshold": 0.7,
    "condition_on_previous_text": False,
    "prompt_reset_on_temperature": 0.7,
    "initial_prompt": "Hello.",
    "prefix": "So",
    "hotwords": "monday",
    "suppress_blank": False,
    "suppress_tokens": (5,),
    "max_initial_timestamp": 2.0,
    "max_new_tokens": 50,
    "chunk_length": 7,
    "hallucination_silence_threshold": 2.0,
    "language_detection_threshold": 0.9,
    "language_detection_segments": 3,
    "batch_size": 3,
    "compute_type": "float32",
    "word_timestamps": False,
    "prepend_punctuations": "(",
    "append_punctuations": ")",
    "enable_offload": True,
    "vad_filter": True,
    "threshold": 0.7,
    "min_speech_duration_ms": 10,
    "max_speech_duration_s": 9.0,
    "min_silence_duration_ms": 10,
    "speech_pad_ms": 10,
    "is_separate_bgm": True,
    "audio_track": 1,
    "raw_pcm": True,
    "listening_copy": "auto",
    "uvr_model_size": "UVR-MDX-NET-Inst_3",
    "segment_size": 512,
    "stem_format": "flac",
    "save_file": True,
    "is_diarize": True,
    "num_speakers": 2,
    "min_speakers": 1,
    "max_speakers": 3,
    "speaker_embeddings": True,
    "uvr_device": "cuda",
    "diarization_device": "cuda",
    "hf_token": "hf_secret",
}
CHANGE_EVERY_RUN = {
    *(
        "model_size",
        "lang",
        "is_translate",
        "beam_size",
        "length_penalty",
        "repetition_penalty",
        "no_repeat_ngram_size",
    ),
    *("patience", "log_prob_threshold", "no_speech_threshold", "initial_prompt", "hotwords", "suppress_blank"),
    *("suppress_tokens", "max_new_tokens", "chunk_length", "language_detection_segments", "batch_size", "compute_type"),
    *("temperature", "best_of", "compression_ratio_threshold"),
    *("word_timestamps", "enable_offload", "vad_filter", "is_separate_bgm", "is_diarize", "audio_track", "raw_pcm"),
    "listening_copy",
}
CHANGE_SEQUENTIAL_RUNS = {
    *("condition_on_previous_text", "prefix"),
    *("prompt_reset_on_temperature", "max_initial_timestamp", "hallucination_silence_threshold"),
}
CHANGE_FILTERED_RUNS = {
    *("threshold", "min_speech_duration_ms", "max_speech_duration_s", "min_silence_duration_ms", "speech_pad_ms"),
}
CHANGE_SEPARATED_RUNS = {"uvr_model_size", "segment_size", "save_file"}


@pytest.fixture(autouse=True)
def context(web: Flask, defaults: TranscriptionParams) -> Iterator[None]:
    with web.app_context():
        yield


@pytest.fixture
def defaults(web: Flask) -> TranscriptionParams:
    return replace(get_defaults(web), batch_size=8)


def warnings(defaults: TranscriptionParams, **given: Any) -> list[str]:
    return describe_ignored(replace(defaults, **given), defaults)


def named(defaults: TranscriptionParams, **given: Any) -> list[str]:
    """The parameters that the warnings name."""
    return [warning.split(" has no effect: ")[0] for warning in warnings(defaults, **given)]


def test_table_has_another_value_for_every_parameter(defaults: TranscriptionParams) -> None:
    assert set(OTHER) == {f.name for f in fields(TranscriptionParams)}
    assert {name for name, value in OTHER.items() if value == getattr(defaults, name)} == set()


@pytest.mark.parametrize(
    "around",
    [
        {},
        {"vad_filter": True},
        {"batch_size": 1},
        {"batch_size": 1, "vad_filter": True},
        {"is_separate_bgm": True},
        {"is_separate_bgm": True, "save_file": True},
    ],
)
@pytest.mark.parametrize("name", OTHER)
def test_parameter_changes_the_run_or_is_warned_of(
    defaults: TranscriptionParams, name: str, around: dict[str, Any]
) -> None:
    changing = CHANGE_EVERY_RUN | (CHANGE_SEQUENTIAL_RUNS if around.get("batch_size") == 1 else set())
    changing |= CHANGE_FILTERED_RUNS if around.get("vad_filter") else set()
    changing |= CHANGE_SEPARATED_RUNS if around.get("is_separate_bgm") else set()
    changing |= {"stem_format"} if around.get("save_file") else set()
    expected = [] if name in changing else [name]
    assert named(replace(defaults, **around), **{name: OTHER[name]}) == expected


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("vad_filter", [True, False])
def test_defaults_yield_no_warning(defaults: TranscriptionParams, batch_size: int, vad_filter: bool) -> None:
    assert warnings(defaults, batch_size=batch_size, vad_filter=vad_filter) == []


def test_default_stated_explicitly_yields_no_warning(defaults: TranscriptionParams) -> None:
    assert warnings(defaults, **vars(defaults)) == []


def test_configured_value_yields_no_warning(defaults: TranscriptionParams) -> None:
    configured = replace(defaults, is_diarize=True, threshold=0.7)
    assert named(configured) == []
    assert named(configured, threshold=0.5) == ["threshold"]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"batch_size": 1, "prefix": "So", "hotwords": "monday"}, ["hotwords"]),
        ({"batch_size": 8, "prefix": "So", "hotwords": "monday"}, ["prefix"]),
        (
            {"batch_size": 1, "condition_on_previous_text": False, "prompt_reset_on_temperature": 0.7},
            ["prompt_reset_on_temperature"],
        ),
        (
            {"lang": "de", "language_detection_threshold": 0.9, "language_detection_segments": 3},
            ["language_detection_threshold", "language_detection_segments"],
        ),
        ({"language_detection_threshold": 0.9, "language_detection_segments": 3}, []),
        ({"language_detection_threshold": 0.9}, ["language_detection_threshold"]),
        ({"batch_size": 1, "temperature": 0.4, "beam_size": 4, "patience": 2.0}, ["beam_size", "patience"]),
        ({"batch_size": 8, "temperature": 0.4, "beam_size": 4, "patience": 2.0}, ["beam_size", "patience"]),
        ({"beam_size": 1, "patience": 2.0}, ["patience"]),
        ({"is_diarize": True, "min_speakers": 2, "max_speakers": 3, "speaker_embeddings": True}, []),
        ({"is_diarize": True, "num_speakers": 2}, []),
        (
            {"is_diarize": True, "num_speakers": 2, "min_speakers": 2, "max_speakers": 3},
            ["min_speakers", "max_speakers"],
        ),
        ({"batch_size": 1, "temperature": 0.4, "beam_size": 1, "patience": 2.0}, ["beam_size", "patience"]),
    ],
)
def test_parameter_disabled_by_another_is_warned_of(
    defaults: TranscriptionParams, given: dict[str, Any], expected: list[str]
) -> None:
    assert named(defaults, **given) == expected


def test_each_warning_is_one_sentence_with_a_reason(defaults: TranscriptionParams) -> None:
    said = warnings(defaults, **{**OTHER, "batch_size": 8, "vad_filter": False})
    assert len(said) == len({sentence.split()[0] for sentence in said}) >= 20
    for sentence in said:
        name, reason = sentence.split(" has no effect: ")
        assert name in OTHER and len(reason) > 10 and sentence.endswith(".")


def test_warning_never_repeats_a_token(defaults: TranscriptionParams) -> None:
    assert "hf_secret" not in " ".join(warnings(defaults, hf_token="hf_secret"))
