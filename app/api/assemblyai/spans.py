"""Utterances, sentences and paragraphs of a transcript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from app.api.assemblyai.words import Word, describe_span, list_words, rate, split
from app.core.db.tasks import Task

SENTENCE_END = re.compile(r"[.!?…。！？][\"'”’»)\]]*$")
# These end with a period in the middle of a sentence.
ABBREVIATION = re.compile(r"(?:[A-Z]|Mr|Mrs|Ms|Dr|Prof|St|vs|etc|e\.g|i\.e|z\.B|bzw|Nr)\.$")
SENTENCE_PAUSE, PARAGRAPH_PAUSE = 1500, 3000  # milliseconds
MOST_WORDS = 80  # of a sentence, where the transcript has no punctuation
PARAGRAPH_WORDS = 100


def list_utterances(words: Sequence[Word]) -> list[dict[str, Any]]:
    """Describe the turns of the speakers."""
    return [describe_span(turn) for turn in split(words, lambda before, after: before[-1].speaker != after.speaker)]


def describe_sentences(row: Task, result: str) -> dict[str, Any]:
    words = list_words(result)
    return {
        "sentences": [describe_span(sentence) for sentence in _split_sentences(words)],
        **_describe_whole(row, words),
    }


def describe_paragraphs(row: Task, result: str) -> dict[str, Any]:
    """Describe runs of sentences of one speaker without a long pause."""
    words = list_words(result)
    paragraphs: list[list[Word]] = []
    for sentence in _split_sentences(words):
        if paragraphs and _belongs(paragraphs[-1], sentence[0]):
            paragraphs[-1] += sentence
        else:
            paragraphs.append(list(sentence))
    return {"paragraphs": [describe_span(paragraph) for paragraph in paragraphs], **_describe_whole(row, words)}


def _split_sentences(words: Sequence[Word]) -> list[list[Word]]:
    def ends(before: list[Word], after: Word) -> bool:
        last = before[-1]
        if last.speaker != after.speaker or len(before) >= MOST_WORDS or after.start - last.end >= SENTENCE_PAUSE:
            return True
        return bool(SENTENCE_END.search(last.text)) and not ABBREVIATION.fullmatch(last.text)

    return split(words, ends)


def _belongs(paragraph: list[Word], word: Word) -> bool:
    last = paragraph[-1]
    near = word.start - last.end < PARAGRAPH_PAUSE
    return near and last.speaker == word.speaker and len(paragraph) < PARAGRAPH_WORDS


def _describe_whole(row: Task, words: Sequence[Word]) -> dict[str, Any]:
    return {"id": row.uuid, "confidence": rate(words), "audio_duration": round(row.audio_duration or 0)}
