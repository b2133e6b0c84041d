"""Segments and words are in order, nested, and finite."""

from __future__ import annotations

import math

import pytest

from workers.stages.segments import Segment, Word, sort_and_clamp, to_json


def word(start: float, end: float, probability: float = 0.5) -> Word:
    return Word(word="w", start=start, end=end, probability=probability, speaker=None)


def segment(start: float, end: float, *words: Word) -> Segment:
    return Segment(
        id=0,
        start=start,
        end=end,
        text="w",
        speaker=None,
        words=list(words),
        seek=0,
        tokens=[],
        temperature=0.0,
        avg_logprob=0.0,
        compression_ratio=1.0,
        no_speech_prob=0.0,
    )


def test_segments_are_numbered_by_start() -> None:
    ordered = sort_and_clamp([segment(5, 6), segment(1, 2)], 10)
    assert [(s["id"], s["start"]) for s in ordered] == [(0, 1), (1, 5)]


def test_times_stay_inside_the_sound() -> None:
    (only,) = sort_and_clamp([segment(-1, 99)], 10)
    assert (only["start"], only["end"]) == (0, 10)


def test_end_is_never_before_start() -> None:
    (only,) = sort_and_clamp([segment(5, 4)], 10)
    assert only["start"] == only["end"] == 5


def test_words_lie_in_order_inside_their_segment() -> None:
    (only,) = sort_and_clamp([segment(1, 4, word(0, 2), word(1.5, 1.2), word(3, 9))], 10)
    times = [(w["start"], w["end"]) for w in only["words"]]
    assert times == [(1, 2), (1.5, 1.5), (3, 4)]


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_result_has_no_nan_or_infinity(odd: float) -> None:
    (only,) = sort_and_clamp([segment(1, odd, word(odd, odd, odd))], 10)
    assert "NaN" not in to_json([only]) and "Infinity" not in to_json([only])


def test_json_with_nan_is_refused() -> None:
    with pytest.raises(ValueError):
        to_json([math.nan])
