"""Decode windows in batches.

A window whose text fails Whisper's thresholds is decoded again at higher temperatures (Radford et al. 2022, section 4.5).
Decoding is without timestamps: with them, what follows the last timestamp of a window would be lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from faster_whisper.transcribe import TranscriptionOptions, get_compression_ratio

from app.core.params import TranscriptionParams
from workers.audio.decode import Samples
from workers.audio.windows import Window
from workers.device.run import Run
from workers.device.threads import count_window_cores, count_workers, map_in_threads
from workers.stages.attention import time_batch
from workers.stages.decoder import FRAMES_PER_SECOND, Decoder, Features, describe_failed
from workers.stages.segments import Segment, finite_or

UNHEARD = 0.5  # where Silero hears no speech, this part of log_prob_threshold must be reached


class Text(NamedTuple):
    """What a window says, and how sure the decoder is of it."""

    tokens: list[int]
    avg_logprob: float
    no_speech_prob: float
    compression_ratio: float
    temperature: float


class Given(NamedTuple):
    """A window to decode: its place in the recording, and its mel spectrogram."""

    window: Window
    features: Features


class Found(NamedTuple):
    """What was decoded from a window: one segment, or timed sentences. ``failed``: its text failed all thresholds."""

    segments: list[Segment]
    failed: bool


def decode_batched(
    samples: Samples, windows: list[Window], decoder: Decoder, timed: bool, run: Run[TranscriptionParams]
) -> Iterator[Segment]:
    """Decode ``windows`` of ``samples``.

    Each becomes one segment, or sentences with word times if it is ``timed``. A GPU decodes windows in batches, with those
    of other runs; a CPU decodes single windows side by side, with fewer threads each, which is faster. Warns of windows
    that are left out, as they failed all thresholds. Raises ValueError for options that the model rejects.
    """
    at_once = run.params.batch_size
    # of two batches, the CPU prepares one while the GPU decodes the other
    size, threads = (1, min(count_workers(run.slot.threads), at_once)) if run.slot.device == "cpu" else (at_once, 2)
    batches = [windows[done : done + size] for done in range(0, len(windows), size)]
    failed: list[Window] = []

    def decode(batch: list[Window]) -> list[Found]:
        given = [Given(window, decoder.extract_features(window, samples)) for window in batch]
        return decode_together(given, decoder, timed, size, run)

    done = 0
    with closing(map_in_threads(decode, batches, threads)) as decoded:
        for batch, found in zip(batches, decoded, strict=True):
            for window, each in zip(batch, found, strict=True):
                yield from each.segments
                if each.failed:
                    failed.append(window)
            done += len(batch)
            run.advance(done / len(windows))
    if failed:
        run.warn(describe_failed([window[:2] for window in failed]))


def decode_together(
    given: list[Given], decoder: Decoder, timed: bool, largest: int, run: Run[TranscriptionParams]
) -> list[Found]:
    """Decode windows in one call, with windows of other runs that want the same, up to ``largest`` in all."""
    model, tokenizer, options = decoder
    same = (id(model.model), tokenizer.language_code, tokenizer.task, repr(options), timed)

    def decode(batch: list[Given]) -> list[Found]:
        return list(_decode_windows(batch, decoder, timed))

    return run.device.batcher.compute(same, given, decode, run.share, largest, count_window_cores(run.slot))


def _decode_windows(given: list[Given], decoder: Decoder, timed: bool) -> Iterator[Found]:
    encoded = decoder.model.encode(np.stack([each.features for each in given]))
    texts = [
        _decode_again(each.features, text, decoder) if each.window.speech and _has_failed(text, decoder) else text
        for each, text in zip(given, _decode_batch(encoded, len(given), decoder), strict=True)
    ]
    segments = [_make_segment(each.window, text, decoder) for each, text in zip(given, texts, strict=True)]
    failures = []
    for each, text, segment in zip(given, texts, segments, strict=True):
        silent = _is_silent(text, each.window, decoder)
        if silent or _has_failed(text, decoder):
            segment["text"], segment["tokens"] = "", []
        failures.append(not silent and _has_failed(text, decoder))
    sentences = time_batch(segments, encoded, decoder) if timed else [[segment] for segment in segments]
    return map(Found, sentences, failures)


def _decode_batch(encoded: Any, count: int, decoder: Decoder) -> list[Text]:
    """Decode ``count`` encoded windows at the first temperature."""
    model, options = decoder.model, decoder.options
    prompt = _make_prompt(decoder)
    temperature = options.temperatures[0]
    search = (
        {"beam_size": 1, "num_hypotheses": options.best_of, "sampling_topk": 0, "sampling_temperature": temperature}
        if temperature > 0
        else {"beam_size": options.beam_size, "patience": options.patience}
    )
    results = model.model.generate(
        encoded,
        [prompt] * count,
        length_penalty=options.length_penalty,
        repetition_penalty=options.repetition_penalty,
        no_repeat_ngram_size=options.no_repeat_ngram_size,
        max_length=len(prompt) + options.max_new_tokens if options.max_new_tokens else model.max_length,
        return_scores=True,
        return_no_speech_prob=True,
        suppress_blank=options.suppress_blank,
        suppress_tokens=options.suppress_tokens,
        **search,
    )
    return [_read(result, temperature, decoder) for result in results]


def _read(result: Any, temperature: float, decoder: Decoder) -> Text:
    tokens = list(result.sequences_ids[0])
    total = result.scores[0] * len(tokens) ** decoder.options.length_penalty  # the score is divided by this
    ratio = get_compression_ratio(decoder.decode_text(tokens).strip())
    return Text(tokens, total / (len(tokens) + 1), result.no_speech_prob, ratio, temperature)


def _decode_again(mel: Features, text: Text, decoder: Decoder) -> Text:
    """Decode one window at the higher temperatures, up to the first that passes."""
    hotter = replace(decoder.options, temperatures=decoder.options.temperatures[1:])
    if not hotter.temperatures:
        return text
    result, logprob, temperature, ratio = decoder.model.generate_with_fallback(
        decoder.model.encode(mel), _make_prompt(decoder), decoder.tokenizer, hotter
    )
    return Text(list(result.sequences_ids[0]), logprob, result.no_speech_prob, ratio, temperature)


def _make_prompt(decoder: Decoder) -> list[int]:
    model, tokenizer, options = decoder
    before = tokenizer.encode(" " + options.initial_prompt.strip()) if options.initial_prompt else []
    prompt: list[int] = model.get_prompt(tokenizer, before, without_timestamps=True, hotwords=options.hotwords)
    return prompt


def _has_failed(text: Text, decoder: Decoder) -> bool:
    options = decoder.options
    return text.compression_ratio > _number(options.compression_ratio_threshold) or _is_unlikely(text, options)


def _is_silent(text: Text, window: Window, decoder: Decoder) -> bool:
    """Whether a window has no speech: by Whisper's rule, or because neither Silero nor Whisper is sure of any."""
    options = decoder.options
    most = _number(options.no_speech_threshold)
    if window.speech:
        return text.no_speech_prob > most and _is_unlikely(text, options)
    return text.no_speech_prob > most * most or _is_unlikely(text, options, UNHEARD)


def _is_unlikely(text: Text, options: TranscriptionOptions, share: float = 1.0) -> bool:
    return text.avg_logprob < share * _number(options.log_prob_threshold)


def _number(threshold: float | None) -> float:
    """Return a threshold, which is never None here: clients cannot turn it off."""
    assert threshold is not None
    return threshold


def _make_segment(window: Window, text: Text, decoder: Decoder) -> Segment:
    return Segment(
        id=0,
        start=round(window.start, 3),
        end=round(window.end, 3),
        text=decoder.decode_text(text.tokens).strip(),
        speaker=None,
        words=[],
        seek=int(window.start * FRAMES_PER_SECOND),
        tokens=text.tokens,
        temperature=text.temperature,
        avg_logprob=round(finite_or(text.avg_logprob, -100.0), 6),
        compression_ratio=round(finite_or(text.compression_ratio), 4),
        no_speech_prob=round(finite_or(text.no_speech_prob), 6),
    )
