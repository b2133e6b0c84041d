"""Transcribe with faster-whisper, in batches of windows or sequentially."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from faster_whisper import BatchedInferencePipeline

from app.core.errors import SpeechError
from app.core.params import TranscriptionParams, WhisperOptions
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.audio.windows import Windows, choose_windows
from workers.device import patches
from workers.device.run import Run
from workers.models.cache import choose_compute_type
from workers.stages.prompts import fit_prompts
from workers.stages.segments import Segment, finite_or

TEMPERATURE_STEP = 0.2
SHARED_OPTIONS = (
    "beam_size",
    "patience",
    "length_penalty",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "initial_prompt",
    "hotwords",
    "suppress_blank",
    "max_new_tokens",
)
SEQUENTIAL_OPTIONS = (
    "best_of",
    "compression_ratio_threshold",
    "log_prob_threshold",
    "no_speech_threshold",
    "condition_on_previous_text",
    "prompt_reset_on_temperature",
    "max_initial_timestamp",
    "chunk_length",
    "hallucination_silence_threshold",
)


def load_model(run: Run[TranscriptionParams]) -> Any:
    """Load the task's Whisper model.

    Raises SpeechError model_not_available.
    """
    asked = run.params.compute_type
    chosen = choose_compute_type(asked, run.slot.device)
    if asked not in ("auto", chosen):
        run.warn(f"compute_type {asked} is not supported on this {run.slot.device}; {chosen} was used")
    return run.models.whisper(run.params.model_size, chosen)


def transcribe(samples: Samples, model: Any, run: Run[TranscriptionParams]) -> tuple[list[Segment], str | None]:
    """Transcribe ``samples`` (float32, 16 kHz).

    Returns the segments and the language code, which can be None if there is no speech.
    Raises SpeechError: unsupported_language, invalid_parameters.
    """
    params = run.params
    windows = choose_windows(samples, params)
    if not windows:
        return [], params.lang
    # detect the language from the first speech on, not in leading silence
    language = _choose_language(samples[int(windows[0][0] * SAMPLE_RATE) :], model, run)
    run.add_facts(language=language)
    decode = _decode_sequential if params.batch_size == 1 else _decode_batched
    try:
        segments = list(decode(samples, windows, model, language, run))
    except ValueError as error:  # faster-whisper raises it for prompts and tokens that do not fit the model
        raise SpeechError("invalid_parameters", f"The model cannot decode with these parameters: {error}") from error
    # a window without recognized words yields a segment with an empty text
    return [segment for segment in segments if segment["text"]], language


def is_alignable(language: str | None, params: WhisperOptions) -> bool:
    """Whether words can be aligned with the audio.

    Those of a translation cannot.
    """
    return bool(params.word_timestamps and not (params.is_translate and language != "en"))


def _choose_language(samples: Samples, model: Any, run: Run[TranscriptionParams]) -> str:
    params = run.params
    asked = params.lang
    if not model.model.is_multilingual:
        if asked not in (None, "en"):
            run.warn(f"lang {asked} has no effect: model {params.model_size} supports English only")
        if params.is_translate:
            run.warn(f"is_translate has no effect: model {params.model_size} supports English only")
        return "en"
    if asked is None:
        patches.restore_feature_window(model.feature_extractor)
        detected: str = model.detect_language(
            samples,
            language_detection_segments=params.language_detection_segments,
            language_detection_threshold=params.language_detection_threshold,
        )[0]
        return detected
    if model.hf_tokenizer.token_to_id(f"<|{asked}|>") is None:
        say = f"Model {params.model_size!r} does not support language {asked!r}."
        raise SpeechError("unsupported_language", say)
    return asked


def _make_options(model: Any, language: str, run: Run[TranscriptionParams]) -> dict[str, Any]:
    params, warnings = fit_prompts(run.params, model.hf_tokenizer, model.max_length)
    for warning in warnings:
        run.warn(warning)
    beyond = [token for token in params.suppress_tokens if token >= model.hf_tokenizer.get_vocab_size()]
    if beyond:
        raise ValueError(f"suppress_tokens contains {beyond[0]}, which is not in the vocabulary")
    return {
        "language": language,
        "task": "translate" if params.is_translate else "transcribe",
        **{name: getattr(params, name) for name in SHARED_OPTIONS},
        "suppress_tokens": list(params.suppress_tokens),
        **({"prefix": params.prefix} if params.batch_size == 1 else {}),
    }


def _decode_batched(
    samples: Samples, windows: Windows, model: Any, language: str, run: Run[TranscriptionParams]
) -> Iterable[Segment]:
    pipeline = BatchedInferencePipeline(model)
    options = _make_options(model, language, run)
    size = run.params.batch_size
    for done in range(0, len(windows), size):  # one batch per call bounds the memory for features
        clips = [{"start": start, "end": end} for start, end in windows[done : done + size]]
        decoded, _ = pipeline.transcribe(
            samples,
            clip_timestamps=clips,
            batch_size=size,
            vad_filter=False,
            # alignment splits windows into sentences; without it, the decoder's timestamps do
            without_timestamps=is_alignable(language, run.params),
            **options,
        )
        yield from (_make_segment(segment) for segment in decoded if not _is_silent(segment, run.params))
        run.advance((done + len(clips)) / len(windows))


def _decode_sequential(
    samples: Samples, windows: Windows, model: Any, language: str, run: Run[TranscriptionParams]
) -> Iterable[Segment]:
    params = run.params
    decoded, _ = model.transcribe(
        samples,
        temperature=list_temperatures(params.temperature),
        # faster-whisper needs word times to find hallucinations
        word_timestamps=params.hallucination_silence_threshold is not None,
        clip_timestamps=[time for window in windows for time in window] if params.vad_filter else "0",
        **{name: getattr(params, name) for name in SEQUENTIAL_OPTIONS},
        **_make_options(model, language, run),
    )
    for segment in decoded:
        yield _make_segment(segment)
        run.advance(segment.end * SAMPLE_RATE / len(samples))


def list_temperatures(first: float) -> list[float]:
    """List ``first`` and its fallbacks.

    Those follow in steps of 0.2 up to 1.0.
    """
    steps = int(round((1.0 - first) / TEMPERATURE_STEP, 6))
    return [first, *(round(first + TEMPERATURE_STEP * step, 6) for step in range(1, steps + 1))]


def _is_silent(segment: Any, params: WhisperOptions) -> bool:
    """Whether a segment is silence by Whisper's rule.

    See Radford et al. 2022, section 4.5. faster-whisper's batched pipeline omits it.
    """
    unlikely = segment.avg_logprob < params.log_prob_threshold
    return bool(segment.no_speech_prob > params.no_speech_threshold and unlikely)


def _make_segment(decoded: Any) -> Segment:
    return Segment(
        id=0,
        start=finite_or(decoded.start),
        end=finite_or(decoded.end),
        text=decoded.text.strip(),
        speaker=None,
        words=[],
        seek=int(decoded.seek),
        tokens=list(decoded.tokens),
        temperature=finite_or(decoded.temperature or 0.0),
        avg_logprob=round(finite_or(decoded.avg_logprob, -100.0), 6),
        compression_ratio=round(finite_or(decoded.compression_ratio), 4),
        no_speech_prob=round(finite_or(decoded.no_speech_prob), 6),
    )
