"""Say which values of a request change nothing, and why: no parameter is silently ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VAD = ("threshold", "min_speech_duration_ms", "max_speech_duration_s", "min_silence_duration_ms", "speech_pad_ms")
SEPARATION = ("uvr_model_size", "segment_size", "save_file")
STEMS = ("stem_format",)
SPEAKERS = ("num_speakers", "min_speakers", "max_speakers", "speaker_embeddings")
SEQUENTIAL = (
    "temperature",
    "best_of",
    "compression_ratio_threshold",
    "condition_on_previous_text",
    "prompt_reset_on_temperature",
    "prefix",
    "max_initial_timestamp",
    "hallucination_silence_threshold",
)
DETECTION = ("language_detection_threshold", "language_detection_segments")
PUNCTUATION = ("prepend_punctuations", "append_punctuations")
DEVICES = ("uvr_device", "diarization_device")


def without_effect(params: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """One sentence for each parameter that asks for something else than the default and will not get it."""
    asked = {name for name, value in params.items() if value != defaults.get(name)}
    return [f"{name} has no effect: {why}." for name, why in _reasons(params) if name in asked]


def _reasons(params: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    if not params["is_separate_bgm"]:
        for name in (*SEPARATION, *STEMS):
            yield name, "is_separate_bgm is off"
    elif not params["save_file"]:
        for name in STEMS:
            yield name, "save_file is off, so no stems are kept"
    if not params["is_diarize"]:
        for name in SPEAKERS:
            yield name, "is_diarize is off"
    elif params["num_speakers"] is not None:
        for name in ("min_speakers", "max_speakers"):
            yield name, "num_speakers says how many there are"
    for name in DEVICES:
        yield name, "the server decides which device runs what"
    yield "hf_token", "only the server's own HF_TOKEN is used, and this one was not stored"
    if not params["vad_filter"]:
        for name in VAD:
            yield name, "vad_filter is off"
    if params["batch_size"] > 1:
        for name in SEQUENTIAL:
            yield name, "it needs sequential decoding, which batch_size=1 selects"
    if params["batch_size"] == 1 and params["temperature"] > 0:
        for name in ("beam_size", "patience"):
            yield name, "a temperature above 0 samples instead of searching with beams"
    elif params["beam_size"] == 1:
        yield "patience", "beam_size=1 keeps one beam only"
    if params["batch_size"] == 1 and not params["condition_on_previous_text"]:
        yield "prompt_reset_on_temperature", "condition_on_previous_text is off"
    if params["prefix"] is not None and params["batch_size"] == 1:
        yield "hotwords", "prefix takes its place"
    if params["lang"] is not None:
        for name in DETECTION:
            yield name, "lang is given, so no language is detected"
    elif params["language_detection_segments"] == 1:
        yield "language_detection_threshold", "language_detection_segments=1 looks at one window, however probable"
    for name in PUNCTUATION:
        yield name, "words are aligned to the sound as the transcript separates them"
