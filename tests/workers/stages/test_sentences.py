"""Timed words become sentences: cut after full stops, at pauses, and where they are too long for a subtitle."""

from __future__ import annotations

import pytest

from workers.stages.segments import Segment, Word
from workers.stages.sentences import CLAUSE_SECONDS, cut_sentences, find_sentence_ends


def timed(*words: str, step: float = 0.4, pauses: dict[int, float] | None = None) -> list[Word]:
    """Words of 0.3 s, one every ``step`` seconds, with longer pauses before some."""
    made: list[Word] = []
    at = 0.0
    for number, word in enumerate(words):
        at += (pauses or {}).get(number, 0.0)
        made.append(Word(word=word, start=at, end=at + 0.3, probability=0.9, speaker=None))
        at += step
    return made


def cut(words: list[Word], language: str = "en") -> list[Segment]:
    text = "".join(word["word"] for word in words)
    whole = Segment(
        id=0,
        start=0.0,
        end=30.0,
        text=text.strip(),
        speaker=None,
        words=[],
        seek=0,
        tokens=list(range(len(text))),
        temperature=0.0,
        avg_logprob=-0.1,
        compression_ratio=1.0,
        no_speech_prob=0.0,
    )
    return cut_sentences(whole, words, language, lambda tokens: "".join(text[token] for token in tokens))


def test_sentences_end_with_full_stops_and_not_with_abbreviations() -> None:
    parts = cut(timed(" Mr.", " Brown", " left.", " She", " stayed."))
    assert [part["text"] for part in parts] == ["Mr. Brown left.", "She stayed."]
    assert [[word["word"] for word in part["words"]] for part in parts] == [
        ["Mr.", "Brown", "left."],
        ["She", "stayed."],
    ]
    assert (parts[1]["start"], parts[1]["end"]) == pytest.approx((1.2, 1.9))


def test_tokens_are_divided_with_the_text() -> None:
    parts = cut(timed(" One.", " Two."))
    assert [token for part in parts for token in part["tokens"]] == list(range(len(" One. Two.")))
    assert all(part["tokens"] for part in parts)


def test_a_pause_ends_a_segment() -> None:
    assert [part["text"] for part in cut(timed(" one", " two", " three", pauses={2: 1.5}))] == ["one two", "three"]
    assert len(cut(timed(" one", " two", " three", pauses={2: 0.5}))) == 1


def test_languages_without_spaces_have_sentences() -> None:
    parts = cut(timed("今天", "很好", "。", "谢谢", "！"), "zh")
    assert [part["text"] for part in parts] == ["今天很好。", "谢谢！"]
    assert find_sentence_ends("「はい。」そうです。", "ja") >= {5, 10}


def test_a_long_sentence_is_cut_after_a_clause() -> None:
    words = timed(*[" word"] * 12, " clause,", *[" word"] * 12)
    parts = cut(words)
    assert [part["text"].endswith("clause,") for part in parts] == [True, False]
    assert all(part["end"] - part["start"] <= CLAUSE_SECONDS for part in parts)
    assert sum(len(part["words"]) for part in parts) == len(words)
