"""Align words with the audio, using whisperx (Bain et al. 2023)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import whisperx.alignment

from app.core.params import Params
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.device import patches
from workers.device.run import Run
from workers.stages.segments import Segment, Word, finite_or
from workers.stages.sentences import load_splitter
from workers.stages.tokens import Decode, share_tokens

log = logging.getLogger(__name__)

SHORTEST_SECONDS = 0.05
Otherwise = Callable[[list[Segment]], Iterable[Segment]]

patches.replace_sentence_splitter(load_splitter)


def align(
    segments: list[Segment], samples: Samples, aligner: Any, decode: Decode, otherwise: Otherwise, run: Run[Params]
) -> list[Segment]:
    """Split segments into sentences with word times.

    Words get times in seconds and probabilities.
    ``aligner`` is whisperx's (model, metadata), ``samples`` float32 at 16 kHz, ``decode`` turns token ids into text.
    A segment that cannot be aligned becomes what ``otherwise`` makes of it, and a warning is added.
    """
    model, metadata = aligner
    aligned: list[Segment] = []
    without = 0
    bounds = [0.0, *(segment["start"] for segment in segments[1:]), len(samples) / SAMPLE_RATE]
    for done, segment in enumerate(segments, 1):
        # Whisper's timestamps are sometimes too tight; the second try extends them to the neighbours
        spans = [(segment["start"], segment["end"]), (min(segment["start"], bounds[done - 1]), bounds[done])]
        # a generator: the second try runs only if the first fails
        tries = (_align_segment(segment, span, samples, model, metadata, decode, run) for span in spans)
        sentences = next(filter(None, tries), [])
        without += not sentences
        aligned += sentences or otherwise([segment])
        run.advance(done / len(segments))
    if without:
        run.warn(f"{without} of {len(segments)} segments could not be aligned; their word times are Whisper's own.")
    return aligned


def _align_segment(
    segment: Segment,
    span: tuple[float, float],
    samples: Samples,
    model: Any,
    metadata: dict[str, Any],
    decode: Decode,
    run: Run[Params],
) -> list[Segment]:
    """Align one segment within ``span`` (seconds).

    Returns its sentences, or none if the text does not match the audio.
    """
    piece = [{"start": span[0], "end": span[1], "text": segment["text"]}]
    if span[1] - span[0] < SHORTEST_SECONDS:
        return []
    try:
        found = whisperx.alignment.align(piece, model, metadata, samples, run.slot.device)["segments"]
    except Exception as error:  # the transcript is useful without word times, so no error of the aligner fails the task
        if run.must_raise(error):
            raise
        log.exception("alignment of %.2f–%.2f s failed", *span)
        return []
    found = [sentence for sentence in found if sentence["words"]]
    shares = share_tokens(segment["tokens"], [sentence["text"] for sentence in found], decode)
    return [_make_sentence(segment, sentence, tokens) for sentence, tokens in zip(found, shares, strict=True)]


def _make_sentence(parent: Segment, aligned: dict[str, Any], tokens: list[int]) -> Segment:
    child = copy(parent)
    child["text"] = aligned["text"].strip()
    child["start"] = finite_or(aligned["start"], parent["start"])
    child["end"] = finite_or(aligned["end"], parent["end"])
    child["tokens"] = tokens
    child["words"] = [_make_word(word, child) for word in aligned["words"]]
    return child


def _make_word(aligned: dict[str, Any], segment: Segment) -> Word:
    return Word(
        word=aligned["word"],
        start=float(aligned.get("start", segment["start"])),
        end=float(aligned.get("end", segment["end"])),
        probability=float(aligned.get("score", 0.0)),
        speaker=None,
    )
