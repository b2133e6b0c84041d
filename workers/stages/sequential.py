"""Decode a recording in order, each window with the text before it as context (faster-whisper's own loop)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from app.core.params import TranscriptionParams
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.audio.windows import Window
from workers.device.run import Run
from workers.device.threads import count_window_cores
from workers.stages.attention import make_words
from workers.stages.decoder import FRAMES_PER_SECOND, Decoder, describe_failed
from workers.stages.segments import Segment, finite_or
from workers.stages.sentences import cut_sentences

OPTIONS = (
    "beam_size",
    "best_of",
    "patience",
    "length_penalty",
    "repetition_penalty",
    "no_repeat_ngram_size",
    "compression_ratio_threshold",
    "log_prob_threshold",
    "no_speech_threshold",
    "condition_on_previous_text",
    "prompt_reset_on_temperature",
    "initial_prompt",
    "prefix",
    "suppress_blank",
    "max_initial_timestamp",
    "max_new_tokens",
    "hallucination_silence_threshold",
    "hotwords",
)


def decode_sequential(
    samples: Samples, windows: list[Window], decoder: Decoder, timed: bool, run: Run[TranscriptionParams]
) -> Iterator[Segment]:
    """Decode ``windows`` of ``samples`` in the order of time.

    Segments have the decoder's own timestamps; if words are wanted and ``timed``, they are sentences with word times.
    Nothing is beyond the end of the sound. Warns of text that is left out, as it repeats itself at every temperature.
    """
    model, tokenizer, options = decoder
    params, seconds = run.params, len(samples) / SAMPLE_RATE
    timed = timed and params.word_timestamps
    # From where speech begins: after a silence, the decoder's timestamps are wrong, and it hears words twice. Without
    # what is before, because faster-whisper gives the prefix only to a window at 0.
    origin = windows[0].start
    decoded, _ = model.transcribe(
        samples[int(origin * SAMPLE_RATE) :],
        language=tokenizer.language_code,
        task="translate" if params.is_translate else "transcribe",
        temperature=options.temperatures,
        # faster-whisper needs word times to find hallucinations
        word_timestamps=timed or params.hallucination_silence_threshold is not None,
        clip_timestamps=[time - origin for time in _list_clips(windows, seconds, params.vad_filter)],
        chunk_length=params.chunk_length,
        suppress_tokens=list(params.suppress_tokens),
        **{name: getattr(options, name) for name in OPTIONS},
    )
    repeated: list[tuple[float, float]] = []
    for found in _decode_by_turns(decoded, run):
        _shift(found, origin)
        if found.start >= seconds:
            continue
        if found.compression_ratio > params.compression_ratio_threshold:
            repeated.append((found.start, min(found.end, seconds)))
            continue
        segment = _make_segment(found)
        words = make_words(map(asdict, found.words or ()), segment) if timed else []
        yield from cut_sentences(segment, words, tokenizer.language_code, decoder.decode_text) if words else [segment]
        run.advance(found.end / seconds)
    if repeated:
        run.warn(describe_failed(repeated))


def _decode_by_turns(decoded: Iterator[Any], run: Run[TranscriptionParams]) -> Iterator[Any]:
    """Yield the segments of faster-whisper's generator, which decodes the next window when it is asked for a segment."""
    cores = count_window_cores(run.slot)
    while True:
        with run.turn(cores):
            found = next(decoded, None)
        if found is None:
            return
        yield found


def _list_clips(windows: list[Window], seconds: float, only_speech: bool) -> list[float]:
    """List start and end of each stretch to decode.

    That is every window if ``only_speech`` is asked for. Otherwise the decoder goes on without a cut from the first speech
    to the end of the sound (``seconds``): at each end of a stretch, it may say its last words again.
    """
    if only_speech:
        return [time for window in windows for time in window[:2]]
    first = next((window for window in windows if window.speech), windows[0])
    before = [windows[0].start, first.start] if first is not windows[0] else []
    return [*before, first.start, seconds]


def _shift(found: Any, seconds: float) -> None:
    """Move faster-whisper's segment and its words to later times."""
    found.seek += round(seconds * FRAMES_PER_SECOND)
    for timed in (found, *(found.words or ())):
        timed.start, timed.end = timed.start + seconds, timed.end + seconds


def _make_segment(decoded: Any) -> Segment:
    return Segment(
        id=0,
        start=round(finite_or(decoded.start), 3),
        end=round(finite_or(decoded.end), 3),
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
