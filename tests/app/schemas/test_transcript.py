"""A transcript is plain text or JSON segments; what is neither is refused with the place of the error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from marshmallow import ValidationError

from app.schemas.transcript import LONGEST, Transcript


def read(text: str) -> Any:
    return json.loads(Transcript().deserialize(text))


@pytest.mark.parametrize("text", ["hello\n monday ", "[music] hello monday", "{hello} monday", "[12:28] hello"])
def test_text_in_brackets_is_plain_text(text: str) -> None:
    assert read(text) == " ".join(text.split())


def test_segments_are_ordered_and_numbered_and_other_members_dropped() -> None:
    given = [
        {"id": 9, "start": 2, "end": 3.00049, "text": " two ", "speaker": "B", "words": [], "tokens": [1]},
        {"start": 0.5, "end": 1, "text": "one"},
        {"start": 4, "end": 5, "text": " "},
    ]
    expected = [
        {"id": 0, "start": 0.5, "end": 1.0, "text": "one", "speaker": None},
        {"id": 1, "start": 2.0, "end": 3.0, "text": "two", "speaker": "B"},
    ]
    assert read(json.dumps(given)) == read(json.dumps({"segments": given, "language": "en"})) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[{"start": 0', "nor valid JSON"),
        ("[]", "no text"),
        ('{"text": "hello"}', "member segments"),
        ('[{"start": 0, "end": 1, "text": "a"}, 7]', "Segment 1"),
        ('[{"start": 0, "end": 1}]', "Segment 0: text"),
        ('[{"start": 1, "end": 1, "text": "a"}]', "Segment 0: start and end"),
        ('[{"start": NaN, "end": 1, "text": "a"}]', "Segment 0: start and end"),
        ('[{"start": -1, "end": 1, "text": "a"}]', "Segment 0: start and end"),
        ('[{"start": "0", "end": 1, "text": "a"}]', "Segment 0: start and end"),
        ("[{" * 100_000, "nor valid JSON"),
        ("x" * (LONGEST + 1), "Longer"),
    ],
)
def test_broken_transcripts_are_refused(text: str, said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        read(text)
