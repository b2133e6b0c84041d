"""Give the words of a known transcript their times."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import accumulate
from typing import Any

from app.core.errors import SpeechError
from app.core.params import Params
from workers.alignment.alphabet import Alphabet, find_characters, read_alphabet
from workers.alignment.sentences import TimedSentence
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.device.run import Run
from workers.stages.align import MOST_CELLS, count_cells, find_sentences, make_word
from workers.stages.segments import Segment, Word, clamp

TOO_LONG = (
    "The text is too long to be aligned with so much sound at once, which is possible for about five minutes. Send the "
    "transcript as JSON: a list of shorter segments with start, end and text."
)


def align_given(transcript: str, samples: Samples, aligner: Any, run: Run[Params]) -> list[Segment]:
    """Return the segments of ``transcript`` (JSON text) with word times.

    Those that a client sent keep their ids, and grow with their words; a text without times becomes sentences. Raises
    SpeechError transcript_needs_times.
    """
    alphabet = read_alphabet(aligner[1])
    seconds = len(samples) / SAMPLE_RATE
    given = json.loads(transcript)
    segments = (
        [_read_segment(each) for each in given] if isinstance(given, list) else [_make_segment(given, 0, seconds)]
    )
    if not any(find_characters(segment["text"], alphabet).labels for segment in segments):
        run.warn("The transcript has no text that could be aligned.")
        return []
    for segment in segments:
        span = (segment["start"], min(segment["end"], seconds))
        if count_cells(segment["text"], span, alphabet) > MOST_CELLS:
            raise SpeechError("transcript_needs_times", TOO_LONG)
    with closing(find_sentences(segments, samples, aligner, run)) as found:
        aligned = list(zip(segments, found, strict=True))
    without = sum(not sentences for _, sentences in aligned)
    if without:
        run.warn(f"{without} of {len(segments)} segments could not be aligned; their words share the segment's time.")
    made = [_fill(segment, sentences, alphabet) for segment, sentences in aligned]
    if not isinstance(given, list) and aligned[0][1]:
        made = [_make_sentence(sentence, number) for number, sentence in enumerate(aligned[0][1])]
    for segment in made:
        clamp(segment, seconds)
    return made


def _read_segment(given: dict[str, Any]) -> Segment:
    segment = _make_segment(given["text"], given["start"], given["end"])
    segment["id"], segment["speaker"] = given["id"], given["speaker"]
    return segment


def _make_segment(text: str, start: float, end: float) -> Segment:
    return Segment(
        id=0,
        start=start,
        end=end,
        text=text,
        speaker=None,
        words=[],
        seek=int(100 * start),
        tokens=[],
        temperature=0.0,
        avg_logprob=0.0,
        compression_ratio=0.0,
        no_speech_prob=0.0,
    )


def _make_sentence(sentence: TimedSentence, number: int) -> Segment:
    segment = _make_segment(sentence.text.strip(), sentence.start, sentence.end)
    segment["id"], segment["words"] = number, [make_word(word, sentence) for word in sentence.words]
    return segment


def _fill(segment: Segment, sentences: list[TimedSentence], alphabet: Alphabet) -> Segment:
    """Give a segment its words; without sentences, they share its time in proportion to their letters."""
    if sentences:
        segment["words"] = [make_word(word, sentence) for sentence in sentences for word in sentence.words]
        segment["start"] = min(segment["start"], sentences[0].start)
        segment["end"] = max(segment["end"], *(sentence.end for sentence in sentences))
    else:
        segment["words"] = _share_time(segment, alphabet)
    for word in segment["words"]:
        word["speaker"] = segment["speaker"]
    return segment


def _share_time(segment: Segment, alphabet: Alphabet) -> list[Word]:
    said = segment["text"].split() if alphabet.spaced else [each for each in segment["text"] if not each.isspace()]
    start, end = segment["start"], segment["end"]
    total = sum(map(len, said))
    ends = [start + (end - start) * letters / total for letters in accumulate(map(len, said))]
    spans = zip(said, [start, *ends], ends, strict=False)
    return [Word(word=word, start=begin, end=over, probability=0.0, speaker=None) for word, begin, over in spans]
