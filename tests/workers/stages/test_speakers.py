"""Words and segments get speakers by their times; a segment ends where the speaker changes."""

from __future__ import annotations

from typing import Any

import pandas as pd

from workers.stages.segments import Segment, Word
from workers.stages.speakers import assign_speakers, find_nearest

TOKENS = {1: " hello", 2: " there.", 3: " Good", 4: " day", 5: " all"}


def decode(tokens: list[int]) -> str:
    return "".join(TOKENS[token] for token in tokens)


def turns(*rows: tuple[float, float, str]) -> Any:
    return pd.DataFrame(rows, columns=["start", "end", "speaker"])


def segment(*words: tuple[str, float, float], start: float = 0.0, end: float = 10.0, text: str = "") -> Segment:
    return Segment(
        id=0,
        start=start,
        end=end,
        text=text or " ".join(word for word, _, _ in words),
        speaker=None,
        words=[Word(word=word, start=s, end=e, probability=0.9, speaker=None) for word, s, e in words],
        seek=0,
        tokens=list(TOKENS)[: len(words)],
        temperature=0.0,
        avg_logprob=-0.1,
        compression_ratio=1.0,
        no_speech_prob=0.0,
    )


def test_segment_gets_the_speaker_who_talks_longest() -> None:
    (only,) = assign_speakers([segment(start=1, end=4)], turns((0, 2, "A"), (2, 9, "B")), decode)
    assert only["speaker"] == "B"


def test_segment_ends_where_the_speaker_changes() -> None:
    words = [("hello", 0.5, 1.0), ("there.", 1.1, 1.6), ("Good", 2.2, 2.6), ("day", 2.7, 3.0)]
    parts = assign_speakers([segment(*words, end=3.4)], turns((0.4, 1.7, "A"), (2.1, 3.2, "B")), decode)
    assert [(p["speaker"], p["text"], p["tokens"]) for p in parts] == [
        ("A", "hello there.", [1, 2]),
        ("B", "Good day", [3, 4]),
    ]
    assert [(p["start"], p["end"]) for p in parts] == [(0.0, 1.6), (2.2, 3.4)]
    assert [[w["speaker"] for w in p["words"]] for p in parts] == [["A", "A"], ["B", "B"]]


def test_text_without_spaces_is_cut_between_its_words() -> None:
    words = [("今", 0.5, 1.0), ("日", 1.1, 1.6), ("は", 2.2, 2.6)]
    parts = assign_speakers([segment(*words, text="今日は")], turns((0, 1.7, "A"), (2, 3, "B")), decode)
    assert [part["text"] for part in parts] == ["今日", "は"]


def test_word_in_a_gap_goes_to_the_nearest_turn_however_long_it_is() -> None:
    words = [("hello", 8.0, 8.5), ("there.", 10.1, 10.3), ("Good", 12.5, 13.0)]
    parts = assign_speakers([segment(*words, end=14)], turns((0, 10, "A"), (12, 13, "B")), decode)
    assert [part["text"] for part in parts] == ["hello there.", "Good"]
    assert find_nearest(20, 21, [(0, 10, "A"), (12, 13, "B")]) == "B"


def test_word_without_exact_times_follows_the_previous_one() -> None:
    words = [("hello", 0.5, 1.0), ("2014", 0.0, 4.0), ("Good", 2.5, 3.5)]
    parts = assign_speakers([segment(*words, end=4)], turns((0, 1.5, "A"), (2, 4, "B")), decode)
    assert [part["text"] for part in parts] == ["hello 2014", "Good"]
    assert [(part["start"], part["end"]) for part in parts] == [(0.0, 1.0), (2.5, 4.0)]


def test_segment_without_words_gets_one_speaker() -> None:
    (only,) = assign_speakers([segment(start=11, end=11.5)], turns((0, 10, "A"), (12, 13, "B")), decode)
    assert only["speaker"] == "B" and only["words"] == []


def test_without_turns_nothing_changes() -> None:
    before = segment(("hello", 0.5, 1.0))
    assert assign_speakers([before], turns(), decode) == [before] and before["speaker"] is None
