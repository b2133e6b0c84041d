"""Warn about transcription parameters without effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

from app.core.params import TranscriptionParams

VAD = ("threshold", "min_speech_duration_ms", "max_speech_duration_s", "min_silence_duration_ms", "speech_pad_ms")
SEPARATION = ("uvr_model_size", "segment_size", "save_file")
STEMS = ("stem_format",)
SPEAKERS = ("num_speakers", "min_speakers", "max_speakers", "speaker_embeddings")
# Used in sequential decoding only, that is with batch_size 1.
SEQUENTIAL = (
    "condition_on_previous_text",
    "prompt_reset_on_temperature",
    "prefix",
    "max_initial_timestamp",
    "hallucination_silence_threshold",
)
DETECTION = ("language_detection_threshold", "language_detection_segments")
PUNCTUATION = ("prepend_punctuations", "append_punctuations")
DEVICES = ("uvr_device", "diarization_device")


def describe_ignored(params: TranscriptionParams, defaults: TranscriptionParams) -> list[str]:
    """List a warning for each value without effect.

    Only values that differ from the default are reported.
    """
    changed = {f.name for f in fields(params) if getattr(params, f.name) != getattr(defaults, f.name)}
    return [f"{name} has no effect: {reason}." for name, reason in _find_ignored(params) if name in changed]


def _find_ignored(params: TranscriptionParams) -> Iterator[tuple[str, str]]:
    if not params.is_separate_bgm:
        for name in (*SEPARATION, *STEMS):
            yield name, "is_separate_bgm is off"
    elif not params.save_file:
        for name in STEMS:
            yield name, "save_file is off, so no stems are kept"
    if not params.is_diarize:
        for name in SPEAKERS:
            yield name, "is_diarize is off"
    elif params.num_speakers is not None:
        for name in ("min_speakers", "max_speakers"):
            yield name, "num_speakers sets the exact number"
    for name in DEVICES:
        yield name, "the server chooses the device"
    yield "hf_token", "the server uses its own HF_TOKEN, and this one was not stored"
    if not params.vad_filter:
        for name in VAD:
            yield name, "vad_filter is off"
    if params.batch_size > 1:
        for name in SEQUENTIAL:
            yield name, "it needs sequential decoding, which batch_size=1 selects"
    if params.temperature > 0:
        for name in ("beam_size", "patience"):
            yield name, "a temperature above 0 selects sampling instead of beam search"
    elif params.beam_size == 1:
        yield "patience", "beam_size=1 keeps a single beam"
    if params.batch_size == 1 and not params.condition_on_previous_text:
        yield "prompt_reset_on_temperature", "condition_on_previous_text is off"
    if params.prefix is not None and params.batch_size == 1:
        yield "hotwords", "prefix takes precedence"
    if params.lang is not None:
        for name in DETECTION:
            yield name, "lang is given, so the language is not detected"
    elif params.language_detection_segments == 1:
        yield "language_detection_threshold", "language_detection_segments=1 uses one window, whatever its probability"
    for name in PUNCTUATION:
        yield name, "words keep the punctuation of the transcript"
