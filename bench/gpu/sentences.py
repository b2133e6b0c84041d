"""Sentences to align, and a rule for their ends in place of NLTK's."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

READ = Path(__file__).parents[2] / "tests" / "real" / "read_speech.tsv"
WINDOW_SECONDS = 28.0
SENTENCE = re.compile(r"\S.*?(?:[.!?](?=\s|$)|$)")


def make_windows(seconds: float) -> list[dict[str, Any]]:
    """Make the segments of a transcript of ``seconds``: the read sentences, again and again, at their pace."""
    with READ.open(encoding="utf-8") as file:
        rows = [
            (row["sentence"], float(row["start"]), float(row["end"])) for row in csv.DictReader(file, delimiter="\t")
        ]
    windows: list[dict[str, Any]] = []
    shift = 0.0
    while True:
        for text, start, end in rows:
            if end + shift > seconds:
                return windows
            if windows and end + shift - windows[-1]["start"] <= WINDOW_SECONDS:
                windows[-1]["text"] += f" {text}"
                windows[-1]["end"] = end + shift
            else:
                windows.append({"text": text, "start": start + shift, "end": end + shift})
        shift += rows[-1][2]


def split_sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence in ``text``, as ``workers.stages.sentences.split_sentences`` does."""
    return [match.span() for match in SENTENCE.finditer(text)]


class Splitter:
    """What whisperx expects of NLTK."""

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        return split_sentences(text, "en")
