"""Align words with the audio, as whisperx does (Bain et al. 2023)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from copy import copy
from typing import Any

from app.core.params import Params
from workers.alignment.alphabet import Alphabet, find_characters, read_alphabet
from workers.alignment.emissions import Emissions, Span, compute_emissions, compute_in_windows
from workers.alignment.sentences import TimedSentence, align_text
from workers.alignment.words import TimedWord
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.device.run import Run
from workers.device.threads import MOST_SIDE_BY_SIDE, map_side_by_side
from workers.stages.segments import Segment, Word
from workers.stages.tokens import Decode, share_tokens

log = logging.getLogger(__name__)

SHORTEST_SECONDS = 0.05
FRAMES_PER_SECOND = 50  # of wav2vec 2.0
MOST_CELLS = 80_000_000  # pairs of a frame and a character: five minutes of fluent speech
Otherwise = Callable[[list[Segment]], Iterable[Segment]]


def align(
    segments: list[Segment], samples: Samples, aligner: Any, decode: Decode, otherwise: Otherwise, run: Run[Params]
) -> list[Segment]:
    """Split segments into sentences with word times.

    Words get times in seconds and probabilities.
    ``aligner`` is whisperx's (model, metadata), ``samples`` float32 at 16 kHz, ``decode`` turns token ids into text.
    A segment that cannot be aligned becomes what ``otherwise`` makes of it, and a warning is added.
    """
    aligned: list[Segment] = []
    without = 0
    with closing(find_sentences(segments, samples, aligner, run)) as found:
        for segment, sentences in zip(segments, found, strict=True):
            without += not sentences
            aligned += _make_segments(segment, sentences, decode) if sentences else otherwise([segment])
    if without:
        run.warn(f"{without} of {len(segments)} segments could not be aligned; their word times are Whisper's own.")
    return aligned


def find_sentences(
    segments: Sequence[Segment], samples: Samples, aligner: Any, run: Run[Params]
) -> Generator[list[TimedSentence], None, None]:
    """Yield the sentences of each segment, in order; none for a segment that cannot be aligned."""
    model, metadata = aligner
    alphabet = read_alphabet(metadata)
    # a GPU computes one segment faster than several threads could; after running out of memory, so must a CPU
    threads = run.slot.threads if run.slot.device == "cpu" and not run.last else 1
    cores = max(1, threads // MOST_SIDE_BY_SIDE) if run.slot.device == "cpu" and not run.last else None

    def compute(span: Span) -> Emissions:
        with run.turn(cores):
            return compute_emissions(samples, span, model, metadata["type"], run.slot.device)

    seconds = len(samples) / SAMPLE_RATE
    bounds = [0.0, *(segment["start"] for segment in segments[1:]), seconds]

    def align_one(number: int) -> list[TimedSentence]:
        segment = segments[number]
        # Whisper's timestamps are sometimes too tight; the second try extends them to the neighbours
        spans = [(segment["start"], segment["end"]), (min(segment["start"], bounds[number]), bounds[number + 1])]
        possible = [
            span
            for span in dict.fromkeys(spans)
            if span[0] < seconds
            and span[1] - span[0] >= SHORTEST_SECONDS
            and count_cells(segment["text"], span, alphabet) <= MOST_CELLS
        ]
        # a generator: the second try runs only if the first fails
        return next(filter(None, (_align_segment(segment, span, alphabet, compute, run) for span in possible)), [])

    with closing(map_side_by_side(align_one, range(len(segments)), threads)) as found:
        for done, sentences in enumerate(found, 1):
            yield sentences
            run.advance(done / len(segments))


def count_cells(text: str, span: Span, alphabet: Alphabet) -> float:
    """Return the size of the trellis of ``text`` and ``span`` (seconds); each cell takes about ten bytes."""
    return len(find_characters(text, alphabet).labels) * (span[1] - span[0]) * FRAMES_PER_SECOND


def _align_segment(
    segment: Segment, span: Span, alphabet: Alphabet, compute: Callable[[Span], Emissions], run: Run[Params]
) -> list[TimedSentence]:
    """Align one segment within ``span`` (seconds).

    Returns its sentences, or none if the text does not match the audio.
    """
    try:
        if not find_characters(segment["text"], alphabet).labels:
            return []
        return align_text(segment["text"], span, compute_in_windows(span, compute), alphabet)
    except Exception as error:  # the transcript is useful without word times, so no error of the aligner fails the task
        if run.must_raise(error):
            raise
        log.exception("alignment of %.2f–%.2f s failed", *span)
        return []


def _make_segments(parent: Segment, sentences: list[TimedSentence], decode: Decode) -> list[Segment]:
    shares = share_tokens(parent["tokens"], [sentence.text for sentence in sentences], decode)
    return [_make_segment(parent, sentence, tokens) for sentence, tokens in zip(sentences, shares, strict=True)]


def _make_segment(parent: Segment, sentence: TimedSentence, tokens: list[int]) -> Segment:
    child = copy(parent)
    child["text"] = sentence.text.strip()
    child["start"], child["end"] = sentence.start, sentence.end
    child["tokens"] = tokens
    child["words"] = [make_word(word, sentence) for word in sentence.words]
    return child


def make_word(word: TimedWord, sentence: TimedSentence) -> Word:
    return Word(
        word=word.text,
        start=sentence.start if word.start is None else word.start,
        end=sentence.end if word.end is None else word.end,
        probability=word.score or 0.0,
        speaker=None,
    )
