"""Words of an edited segment keep their times where they did not change, and share those of their neighbours elsewhere."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.editing.retiming import retime_words
from app.editing.tokens import split_tokens

VOCABULARY = ("hello", "monday", "Öl", "well-known", "a", "...", "字", "你好", "ที่", "don't", "🙂", "Straße")


def spoken(*words: tuple[str, float, float], start: float = 0.0, end: float = 3.0, glue: str = " ") -> dict[str, Any]:
    """A segment of words with times."""
    made = [
        {"word": word, "start": begin, "end": over, "probability": 0.9, "speaker": f"S{number}"}
        for number, (word, begin, over) in enumerate(words)
    ]
    text = glue.join(word for word, _, _ in words)
    return {"text": text, "start": start, "end": end, "speaker": "S", "words": made}


def times(segment: dict[str, Any], text: str) -> list[tuple[str, float, float]]:
    return [(word["word"], word["start"], word["end"]) for word in retime_words(segment, text)]


HELLO = spoken(("hello", 0.3, 0.8), ("munday", 2.0, 2.5), ("all", 2.6, 3.0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello, munday all.", [("Hello,", 0.3, 0.8), ("munday", 2.0, 2.5), ("all.", 2.6, 3.0)]),
        ("hello monday all", [("hello", 0.3, 0.8), ("monday", 2.0, 2.5), ("all", 2.6, 3.0)]),
        ("hello all", [("hello", 0.3, 0.8), ("all", 2.6, 3.0)]),
        ("hello my dear all", [("hello", 0.3, 0.8), ("my", 2.0, 2.167), ("dear", 2.167, 2.5), ("all", 2.6, 3.0)]),
        ("oh hello munday all", [("oh", 0.0, 0.3), ("hello", 0.3, 0.8), ("munday", 2.0, 2.5), ("all", 2.6, 3.0)]),
        ("hello to munday all", [("hello", 0.3, 0.8), ("to", 0.8, 2.0), ("munday", 2.0, 2.5), ("all", 2.6, 3.0)]),
        ("yes", [("yes", 0.3, 3.0)]),
    ],
)
def test_new_words_take_the_time_of_what_they_replace_or_of_the_gap(text: str, expected: list[Any]) -> None:
    assert times(HELLO, text) == expected


def test_kept_words_keep_probability_and_speaker_and_new_ones_are_sure() -> None:
    words = retime_words(HELLO, "Hello monday all")
    assert [(word["probability"], word["speaker"]) for word in words] == [(0.9, "S0"), (1.0, "S0"), (0.9, "S2")]


def test_text_without_spaces_is_compared_by_characters() -> None:
    segment = spoken(("你好", 0.4, 0.8), ("世界", 1.0, 2.0), glue="")
    assert times(segment, "你好世人") == [("你好", 0.4, 0.8), ("世", 1.0, 1.5), ("人", 1.5, 2.0)]
    assert times(segment, "世界") == [("世界", 1.0, 2.0)]


def test_a_text_without_word_times_gets_none() -> None:
    assert retime_words({**HELLO, "words": []}, "hello monday") == []


def test_a_long_text_is_timed_soon() -> None:
    words = [(f"w{number % 7}", number / 10, number / 10 + 0.1) for number in range(700)]
    began = time.monotonic()
    changed = " ".join(f"w{number % 5}" for number in range(700))
    assert len(retime_words(spoken(*words, end=70.0), changed)) == 700
    assert time.monotonic() - began < 1.0


@st.composite
def segments(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 8))
    moments = sorted(draw(st.lists(st.integers(0, 9000), min_size=2 * count + 2, max_size=2 * count + 2)))
    names = draw(st.lists(st.sampled_from(VOCABULARY), min_size=count, max_size=count))
    spans = [(name, moments[2 * n + 1] / 1000, moments[2 * n + 2] / 1000) for n, name in enumerate(names)]
    glue = draw(st.sampled_from([" ", ""]))
    segment = spoken(*spans, start=moments[0] / 1000, end=moments[-1] / 1000, glue=glue)
    return segment


@settings(max_examples=400, deadline=None)
@given(segments(), st.lists(st.sampled_from((*VOCABULARY, "new", "Hello!")), min_size=1, max_size=9), st.booleans())
def test_times_never_fall_and_stay_inside_the_segment(segment: dict[str, Any], said: list[str], spaced: bool) -> None:
    text = (" " if spaced else "").join(said)
    words = retime_words(segment, text)
    assert "".join(word["word"] for word in words).replace(" ", "") == text.replace(" ", "")
    starts = [word["start"] for word in words]
    assert starts == sorted(starts)
    for word in words:
        assert segment["start"] <= word["start"] <= word["end"] <= segment["end"]
    assert retime_words(segment, segment["text"]) == segment["words"]


@settings(max_examples=300, deadline=None)
@given(segments(), st.sampled_from(VOCABULARY), st.data())
def test_words_that_did_not_change_keep_their_times(segment: dict[str, Any], new: str, data: st.DataObject) -> None:
    segment["text"] = " ".join(word["word"] for word in segment["words"])
    place = data.draw(st.integers(0, len(segment["words"])))
    before, after = segment["words"][:place], segment["words"][place:]
    text = " ".join([*(word["word"] for word in before), f"xyz{new}", *(word["word"] for word in after)])
    words = retime_words(segment, text)
    assert words[: len(before)] == before
    assert words[len(words) - len(after) :] == after
    inserted = words[len(before) : len(words) - len(after)]
    assert len(inserted) == len(split_tokens(f"xyz{new}"))
