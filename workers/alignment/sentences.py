"""Align a text with the output of the network, and cut it into sentences with timed words."""

from __future__ import annotations

from typing import NamedTuple

from workers.alignment.alphabet import WILDCARD, Alphabet, Characters, find_characters
from workers.alignment.emissions import Emissions
from workers.alignment.trellis import Floats, find_path
from workers.alignment.words import (
    TimedCharacter,
    TimedWord,
    fill_gaps,
    find_end,
    find_start,
    make_words,
    time_characters,
)
from workers.stages.sentences import split_sentences


class TimedSentence(NamedTuple):
    """A sentence, or several with the same times in seconds."""

    text: str
    start: float
    end: float
    words: list[TimedWord]


def align_text(text: str, span: tuple[float, float], emissions: Emissions, alphabet: Alphabet) -> list[TimedSentence]:
    """Return the sentences of ``text``, ordered by time.

    ``emissions`` are those of the audio in ``span`` (seconds). There are none if the text does not fit into the frames,
    or has no character to align.
    """
    characters = find_characters(text, alphabet)
    if not characters.labels:
        return []
    places = find_path(_select(emissions, characters, alphabet.blank), emissions[:, alphabet.blank])
    if places is None:
        return []
    frame = (span[1] - span[0]) / len(emissions)
    timed = time_characters(text, alphabet.spaced, characters.positions, places, span[0], frame)
    return _cut_sentences(text, timed, alphabet)


def _select(emissions: Emissions, characters: Characters, blank: int) -> Floats:
    """Return the log probabilities of the characters, shape (frames, number of labels).

    A wildcard is as likely as the most likely label other than the blank.
    """
    selected: Floats = emissions.take(characters.labels, axis=1)
    wild = [number for number, label in enumerate(characters.labels) if label == WILDCARD]
    if wild:
        selected[:, wild] = emissions[:, [*range(blank), *range(blank + 1, emissions.shape[1])]].max(axis=1)[:, None]
    return selected


def _cut_sentences(text: str, characters: list[TimedCharacter], alphabet: Alphabet) -> list[TimedSentence]:
    """Cut at Punkt's sentence ends; join sentences with the same times, and leave out those without."""
    spans = split_sentences(text, alphabet.language)
    # with the character behind the sentence, as in whisperx: where it is no space, it counts for both sentences
    parts = [characters[start : end + 1] for start, end in spans]
    starts, ends = fill_gaps([find_start(part) for part in parts]), fill_gaps([find_end(part) for part in parts])
    joined: dict[tuple[float, float], list[TimedSentence]] = {}
    for (first, last), part, start, end in zip(spans, parts, starts, ends, strict=True):
        if start is not None and end is not None:
            joined.setdefault((start, end), []).append(TimedSentence(text[first:last], start, end, make_words(part)))
    glue = " " if alphabet.spaced else ""
    return [
        TimedSentence(glue.join(each.text for each in same), *times, [word for each in same for word in each.words])
        for times, same in sorted(joined.items())
    ]
