"""Make words of the characters that were placed in the audio."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from workers.alignment.trellis import Place

DIGITS = 3  # of times in seconds, and of scores


class TimedCharacter(NamedTuple):
    """A character of a text.

    Its times are in seconds from the start of the recording; they and the score are None if it was not placed. ``word``
    is the number of its word.
    """

    character: str
    start: float | None
    end: float | None
    score: float | None
    word: int


class TimedWord(NamedTuple):
    """A word of a sentence; times in seconds, and None if unknown."""

    text: str
    start: float | None
    end: float | None
    score: float | None


def time_characters(
    text: str, spaced: bool, positions: list[int], places: list[Place], start: float, frame: float
) -> list[TimedCharacter]:
    """Return the characters of ``text`` with times.

    Those at ``positions`` have the ``places``. A frame takes ``frame`` seconds; the first one begins at ``start``. In a
    ``spaced`` text, a word begins with the space before it; otherwise, each character is a word.
    """
    found = {
        position: (round(place.start * frame + start, DIGITS), round(place.end * frame + start, DIGITS), place.score)
        for position, place in zip(positions, places, strict=False)
    }
    characters: list[TimedCharacter] = []
    word = 0
    for position, character in enumerate(text):
        begin, end, score = found.get(position, (None, None, None))
        # a score is not a number if the network's output was not
        exact = None if score is None or math.isnan(score) else round(score, DIGITS)
        characters.append(TimedCharacter(character, begin, end, exact, word))
        word += not spaced or text[position + 1 : position + 2] == " "
    return characters


def make_words(characters: list[TimedCharacter]) -> list[TimedWord]:
    """Make the words of a sentence.

    Words without times get those of the nearest word.
    """
    words: list[TimedWord] = []
    for _, group in itertools.groupby(characters, key=lambda character: character.word):
        members = list(group)
        text = "".join(member.character for member in members).strip()
        if text:
            inner = [member for member in members if member.character != " "]
            words.append(TimedWord(text, find_start(inner), find_end(inner), _average_score(inner)))
    starts, ends = fill_gaps([word.start for word in words]), fill_gaps([word.end for word in words])
    return [word._replace(start=start, end=end) for word, start, end in zip(words, starts, ends, strict=True)]


def find_start(characters: list[TimedCharacter]) -> float | None:
    """Return the start of the first of the placed ``characters``."""
    return min((character.start for character in characters if character.start is not None), default=None)


def find_end(characters: list[TimedCharacter]) -> float | None:
    """Return the end of the last of the placed ``characters``, spaces not counted."""
    ends = (character.end for character in characters if character.end is not None and character.character != " ")
    return max(ends, default=None)


def fill_gaps(values: list[float | None]) -> list[float | None]:
    """Replace each None by the nearest value, of two as near by the earlier one."""
    known = [number for number, value in enumerate(values) if value is not None]
    if not known or len(known) == len(values):
        return values
    return [values[min(known, key=lambda other: abs(other - number))] for number in range(len(values))]


def _average_score(characters: list[TimedCharacter]) -> float | None:
    """Return the mean score, added and rounded as pandas does, whose results may differ from Python's in the last digit."""
    scores = [character.score for character in characters]
    known = sum(score is not None for score in scores)
    if not known:
        return None
    total = np.add.reduce(np.array([score or 0.0 for score in scores]))
    return float(np.round(total / known, DIGITS))
