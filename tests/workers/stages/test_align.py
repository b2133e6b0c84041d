"""Each sentence of a segment gets its own tokens; sentence rules are never downloaded."""

from __future__ import annotations

from typing import Any

import nltk
import pytest
import whisperx.alignment
import whisperx.utils

from tests.service import SAMPLE
from workers.stages.sentences import load_splitter
from workers.stages.tokens import share_tokens

TEXT = {1: " hello", 2: " world.", 3: " Good", 4: " day", 5: "."}


def decode(tokens: list[int]) -> str:
    return "".join(TEXT[token] for token in tokens)


def test_each_sentence_gets_its_own_tokens() -> None:
    assert share_tokens([1, 2, 3, 4, 5], ["hello world.", "Good day."], decode) == [[1, 2], [3, 4, 5]]


def test_one_sentence_keeps_all_tokens() -> None:
    assert share_tokens([1, 2, 3], ["hello world. Good"], decode) == [[1, 2, 3]]


def test_no_sentence_gets_no_tokens() -> None:
    assert share_tokens([1, 2], [], decode) == []


@pytest.mark.parametrize("language", ["en", "de", "fr", "ja", "xx"])
def test_sentence_rules_need_no_file_in_any_language(language: str) -> None:
    name = whisperx.utils.PUNKT_LANGUAGES.get(language, "english")
    splitter = whisperx.alignment.nltk_load(f"tokenizers/punkt_tab/{name}.pickle")
    assert list(splitter.span_tokenize("One two. Three four.")) == [(0, 8), (9, 20)]


def test_alignment_never_asks_nltk_for_data(transcribed: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("NLTK was asked for data")

    monkeypatch.setattr(nltk, "download", forbidden)
    monkeypatch.setattr(nltk.data, "find", forbidden)
    segments, _ = transcribed(SAMPLE)
    assert segments and all(segment["words"] for segment in segments)


def test_abbreviations_do_not_end_a_sentence() -> None:
    splitter = load_splitter("tokenizers/punkt_tab/english.pickle")
    assert len(list(splitter.span_tokenize("Dr. Smith came at 5 p.m. sharp. He left."))) == 2
    german = load_splitter("tokenizers/punkt_tab/german.pickle")
    assert len(list(german.span_tokenize("Das ist z.B. ein Test. Gut."))) == 2
