"""Transcripts that no format finds easy: every kind of time and text, up to twelve speakers, renamed and merged."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from app.formats import list_writers
from app.formats.choices import Choices
from app.formats.source import Source
from app.formats.text import normalize

ODD = [
    '"',
    'a"b',
    "\\",
    "\\ng",
    "<b>",
    "&amp;",
    "]]>",
    "\ufffe",
    "x\uffff",
    "-->",
    "[00:00:05]",
    "#00:00:01-2#",
    "a\tb",
]
ODD += [
    "a\nb",
    "\0",
    "\ud800",
    "\u2028",
    "שלום",
    "مرحبا",
    "謝謝大家",
    "ภาษาไทย",
    "👩‍👩‍👧",
    "e\u0301",
    ";;",
    "…",
    "=1+1",
    "Eve:",
]
WORDS = (
    st.sampled_from(ODD) | st.sampled_from("hello monday and so on it's 42".split()) | st.text(min_size=1, max_size=6)
)
LABELS = [f"SPEAKER_{number:02}" for number in range(12)]
NAMES = ["Maria", "Öztürk", "Anna-Lena 2", "Maria - words", "speech", "R&D's", "SPEAKER_03", "7"]
SECONDS = st.floats(0, 40)


@st.composite
def transcripts(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Segments with overlaps, with words of right, wrong and no times, also outside their segment."""
    speakers = st.sampled_from(LABELS[: draw(st.integers(1, 12))]) if draw(st.booleans()) else st.none()
    segments = []
    for tokens in draw(st.lists(st.lists(WORDS, max_size=12), max_size=6)):
        start = draw(SECONDS)
        end = start + draw(st.sampled_from([0.0, 0.0004, 0.3, 5.0]) | st.floats(0, 10))
        words = []
        for number, token in enumerate(tokens if draw(st.booleans()) else []):
            word: dict[str, Any] = {"word": token, "speaker": draw(speakers), "probability": draw(st.floats(0, 1))}
            kind = draw(st.sampled_from(["right", "right", "none", "wrong", "empty"]))
            if kind == "right":
                word |= {"start": start + number * (end - start) / len(tokens), "end": end}
            elif kind != "none":
                word |= {"start": draw(SECONDS), "end": draw(SECONDS) if kind == "wrong" else start}
            words.append(word)
        segments.append(
            {"start": start, "end": end, "text": " ".join(tokens), "words": words, "speaker": draw(speakers)}
        )
    return sorted(segments, key=lambda segment: segment["start"])


@st.composite
def sources(draw: st.DrawFn) -> Source:
    """Transcripts of recordings that may be shorter than they say, with names that may be the same."""
    segments = draw(transcripts())
    names = draw(st.dictionaries(st.sampled_from(LABELS), st.sampled_from(NAMES), max_size=6))
    length = draw(st.sampled_from([None, 60.0]) | st.floats(0.001, 60))
    turns = [[each["start"], each["end"], each["speaker"] or LABELS[0]] for each in segments]
    return Source(json.dumps(segments), "a b.mp3", "0", length, "de", 1e9, names, json.dumps(turns))


def simple(*segments: dict[str, Any], length: float = 10.24, **more: Any) -> Source:
    return Source(json.dumps(segments), "interview.mp3", "0", length, **more)


def segment(text: str, start: float, end: float, speaker: str | None = None, each: float = 0.0) -> dict[str, Any]:
    """A segment whose words last ``each`` seconds, without gaps; without ``each``, it has no words."""
    words = [
        {
            "word": word,
            "start": start + number * each,
            "end": start + (number + 1) * each,
            "probability": 0.9,
            "speaker": speaker,
        }
        for number, word in enumerate(text.split() if each else [])
    ]
    return {"start": start, "end": end, "text": text, "words": words, "speaker": speaker}


NO_MEETEVAL = "meeteval has no wheels; install it with a C++ compiler"
INTERVIEW = (
    segment('he said "hello"', 0.31, 1.64, "SPEAKER_00", 0.4),
    segment("yes", 1.58, 2.6, "SPEAKER_01", 0.5),
)


def write(form: str, source: Source, kind: str = "transcription") -> str:
    return "".join(map(str, list_writers(kind)[form](source)))


def choose(source: Source, **made: Any) -> Source:
    """The same source with choices."""
    return Source(**{**vars(source), "choices": Choices(**made)})


def letters(text: str) -> str:
    """The text without white space; XML formats also drop what it does not allow."""
    return "".join(normalize(text).split()).replace("\ufffe", "").replace("\uffff", "")


def spoken(source: Source) -> list[str]:
    """The letters of all segments, in order: overlapping utterances may be joined in another order."""
    return sorted("".join(letters(each["text"]) for each in json.loads(source.result)))
