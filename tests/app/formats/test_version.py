"""A changed writer needs a new version; otherwise files of the old one are still served."""

from __future__ import annotations

import hashlib
import json
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from app.core.db.states import DETECT_LANGUAGE
from app.formats import BINARY, VERSION, WRITERS
from app.formats.source import Source

DIGEST = {3: "307d4c3ced4ee00a"}


def segment(start: float, text: str, speaker: str | None = None, timed: bool = True) -> dict[str, Any]:
    forms = text.split(" ")
    words = [
        {"word": form, "start": start + 0.5 * number, "end": start + 0.5 * number + 0.4, "speaker": speaker}
        for number, form in enumerate(forms)
    ]
    return {"start": start, "end": start + 0.5 * len(forms), "text": text, "speaker": speaker, "words": words * timed}


SPEECH = [
    segment(0.4, "Hello and thanks."),
    segment(
        3.0, "A sentence that is long enough, with its commas; it needs several lines, and cues as well! " * 3, "A"
    ),
    segment(120.0, "<i>markup</i> --> {\\an8} \\N & tab\there\nand there", "SPEAKER_01"),
    segment(119.0, "謝謝大家今天來到這裡聽我們說話。" * 4, "B", timed=False),
    segment(3700.0, ""),
    segment(3701.0, "later words", None, timed=False),
    {**segment(4000.0, "spoken very slowly, and long before it is over", timed=False), "end": 4030.0},
]
TURNS = '[[0.4, 2.5, "SPEAKER_01"], [3.0, 60.5, "A"], [50.0, 70.0, "SPEAKER_01"]]'
LANGUAGE = {"language_code": "ht", "language": "haitian creole", "confidence": 0.9}


def read_text(document: Any) -> str:
    """The text of a Word document; how it is compressed depends on libraries."""
    with ZipFile(BytesIO(document)) as parts:
        return parts.read("word/document.xml").decode()


def test_version_changes_with_the_output_of_a_writer() -> None:
    digest = hashlib.sha256()
    for kind, writers in WRITERS.items():
        for name, write in writers.items():
            result = LANGUAGE if kind == DETECT_LANGUAGE else SPEECH
            source = Source(json.dumps(result), "a b.mp3", "0", 4100.0, "de", 1e9, {"A": "Maria"}, TURNS)
            text = "".join(read_text(piece) if name in BINARY else str(piece) for piece in write(source))
            digest.update(f"{kind} {name}\n{text}".encode())
    assert {VERSION: digest.hexdigest()[:16]} == DIGEST, "raise VERSION in app/formats/__init__.py, then set DIGEST"
