"""Words have whole milliseconds that never decrease, a confidence, and speakers as letters."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from app.api.assemblyai.words import join_words, list_words
from tests.app.api.assemblyai.speaking import SEGMENTS, segment, word


def spans(*segments: dict[str, Any]) -> list[tuple[int, int]]:
    return [(each.start, each.end) for each in list_words(json.dumps(segments))]


def test_times_are_whole_milliseconds() -> None:
    assert spans(SEGMENTS[0])[:2] == [(400, 720), (800, 900)]


def test_words_without_times_share_the_time_between_their_neighbours() -> None:
    assert spans(SEGMENTS[0])[3:] == [(1700, 1900), (1900, 2500), (2500, 3000)]
    lone = segment("a b c", 1.0, 4.0, word("a", None, None), word("b", None, None), word("c", None, None))
    assert spans(lone) == [(1000, 2000), (2000, 3000), (3000, 4000)]


def test_segment_without_words_is_split_at_its_spaces() -> None:
    assert spans(segment("one two", 1.0, 2.0)) == [(1000, 1500), (1500, 2000)]
    (first, _) = list_words(json.dumps([segment("one two", 1.0, 2.0)]))
    assert first.confidence == round(math.exp(-0.1), 4)


def test_times_that_contradict_each_other_are_put_in_order() -> None:
    odd = segment("a b c", 1.0, 2.0, word("a", 1.5, 1.4), word("b", 8.0, 9.0), word("c", 1.2, 1.3))
    found = spans(odd)
    flat = [moment for span in found for moment in span]
    assert flat == sorted(flat) and flat[0] >= 1000 and flat[-1] <= 2000


def test_speakers_are_letters_in_the_order_in_which_they_speak() -> None:
    found = list_words(json.dumps(SEGMENTS))
    assert [each.speaker for each in found] == ["A"] * 6 + ["B"] * 3
    many = [segment("x", n, n + 1, word("x", n, n + 1, f"S{n}")) for n in range(53)]
    named = [each.speaker for each in list_words(json.dumps(many))]
    assert named[24:28] == ["Y", "Z", "AA", "AB"] and named[51:] == ["AZ", "BA"]


def test_word_without_speaker_keeps_the_previous_one() -> None:
    found = list_words(json.dumps([segment("a b", 0, 1, word("a", 0, 0.5, "S"), word("b", 0.5, 1.0))]))
    assert [each.speaker for each in found] == ["A", "A"]


@pytest.mark.parametrize(
    ("texts", "joined"),
    [
        (["Hello, you.", "And now?"], "Hello, you. And now?"),
        (["今日は。", "天気"], "今日は。天気"),
        (["l'été", "est là"], "l'été est là"),
        (["", "  "], ""),
    ],
)
def test_words_join_to_the_text(texts: list[str], joined: str) -> None:
    assert join_words(list_words(json.dumps([segment(text, n, n + 1) for n, text in enumerate(texts)]))) == joined


def test_words_of_one_script_join_without_spaces_inside_a_segment() -> None:
    parts = segment("今日は", 0.0, 1.0, word("今", 0.0, 0.3), word("日", 0.3, 0.6), word("は", 0.6, 1.0))
    assert join_words(list_words(json.dumps([parts]))) == "今日は"


@pytest.mark.parametrize("probability", [None, math.nan, 7.0, -1.0, True, "x"])
def test_confidence_is_always_a_number_from_0_to_1(probability: Any) -> None:
    (found,) = list_words(json.dumps([segment("a", 0.0, 1.0, word("a", 0.0, 1.0) | {"probability": probability})]))
    assert 0.0 <= found.confidence <= 1.0
