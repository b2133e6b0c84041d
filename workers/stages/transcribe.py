"""Transcribe with faster-whisper, in batches of windows or sequentially."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from app.core.errors import SpeechError
from app.core.params import ModelOptions, TranscriptionParams
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.audio.windows import Window, choose_windows
from workers.device.run import Run
from workers.models.cache import choose_compute_type
from workers.stages.batched import decode_batched
from workers.stages.decoder import Decoder, copy_model, make_decoder
from workers.stages.language import choose_language
from workers.stages.prompts import fit_prompts
from workers.stages.segments import Segment, Word, clamp, to_json
from workers.stages.sequential import decode_sequential


class Plan(NamedTuple):
    """What is decoded, and how. There is no decoder if nothing is."""

    windows: list[Window]
    language: str | None
    decoder: Decoder | None


def load_model(run: Run[ModelOptions]) -> Any:
    """Load the task's Whisper model: a copy around the network that all tasks share.

    Raises SpeechError model_not_available.
    """
    asked = run.params.compute_type
    chosen = choose_compute_type(asked, run.slot.device)
    if asked not in ("auto", chosen):
        run.warn(f"compute_type {asked} is not supported on this {run.slot.device}; {chosen} was used")
    return copy_model(run.models.whisper(run.params.model_size, chosen))


def make_plan(samples: Samples, model: Any, run: Run[TranscriptionParams]) -> Plan:
    """Choose windows and language of ``samples`` (float32, 16 kHz).

    Raises SpeechError: unsupported_language, invalid_parameters.
    """
    windows = choose_windows(samples, run.params, lambda done: run.share.check())
    if not windows:
        return Plan([], run.params.lang, None)
    language = choose_language(samples, windows, model, run)
    run.add_facts(language=language)
    params, warnings = fit_prompts(run.params, model.hf_tokenizer, model.max_length)
    for warning in warnings:
        run.warn(warning)
    try:
        return Plan(windows, language, make_decoder(model, language, params))
    except ValueError as error:
        raise _explain(error) from error


def transcribe(samples: Samples, plan: Plan, timed: bool, run: Run[TranscriptionParams]) -> list[Segment]:
    """Transcribe the windows of ``plan``: as sentences with Whisper's own word times if they are ``timed``.

    Raises SpeechError invalid_parameters.
    """
    if plan.decoder is None:
        return []
    decode = decode_sequential if run.params.batch_size == 1 else decode_batched
    try:
        segments = list(_show(decode(samples, plan.windows, plan.decoder, timed, run), plan, samples, run))
    except ValueError as error:  # faster-whisper raises it for prompts and tokens that do not fit the model
        raise _explain(error) from error
    # a window without recognized words yields a segment with an empty text
    return [segment for segment in segments if segment["text"]]


def has_words(plan: Plan, params: TranscriptionParams) -> bool:
    """Whether the result has words: those of a translation are not spoken in the recording."""
    return params.word_timestamps and not (params.is_translate and plan.language != "en")


def _show(
    segments: Iterator[Segment], plan: Plan, samples: Samples, run: Run[TranscriptionParams]
) -> Iterator[Segment]:
    """Let the client see segments while the next ones are decoded."""
    number = 0
    for segment in segments:
        if segment["text"]:
            words = [Word(**word) for word in segment["words"]] if has_words(plan, run.params) else []
            shown = Segment(**{**segment, "id": number, "words": words})
            clamp(shown, len(samples) / SAMPLE_RATE)
            run.show([to_json(shown)])
            number += 1
        yield segment


def _explain(error: ValueError) -> SpeechError:
    return SpeechError("invalid_parameters", f"The model cannot decode with these parameters: {error}")
