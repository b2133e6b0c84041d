"""The transcript that a client sends: plain text, or segments with times as JSON."""

from __future__ import annotations

import json
import math
import re
from typing import Any

from marshmallow import ValidationError

from app.editing.edits import write_json
from app.formats.text import normalize
from app.schemas.fields import Text

LONGEST = 250_000  # characters
LONGEST_NAME = 200  # of a speaker
MOST_SECONDS = 1e6
IS_JSON = re.compile(r"\s*(\[\s*[{\]]|\{\s*[\"}])")


class Transcript(Text):
    """A transcript, returned as JSON text: a string, or a list of segments ordered by start.

    A client may send a list of segments, or an object with the member ``segments``. A segment has the members ``start``,
    ``end`` and ``text``, and may have a ``speaker``; others are not used.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(most=LONGEST, **kwargs)

    def _deserialize(self, value: Any, attr: Any, data: Any, **kwargs: Any) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not IS_JSON.match(text):
            return write_json(normalize(text))
        try:
            given = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValidationError(f"Is neither plain text nor valid JSON: {error!s:.100}.") from error
        listed = given.get("segments") if isinstance(given, dict) else given
        if not isinstance(listed, list):
            raise ValidationError("JSON must be a list of segments, or an object with the member segments.")
        segments = [segment for number, each in enumerate(listed) if (segment := _read_segment(each, number))]
        if not segments:
            raise ValidationError("The transcript has no text.")
        return write_segments(sorted(segments, key=lambda segment: float(segment["start"])), keep_ids=False)


def write_segments(segments: list[dict[str, Any]], keep_ids: bool = True) -> str:
    """Write what the alignment needs of segments, as JSON text; without ``keep_ids``, they are numbered."""
    return write_json(
        [
            {
                "id": segment["id"] if keep_ids else number,
                "start": segment["start"],
                "end": segment["end"],
                "text": segment["text"],
                "speaker": segment.get("speaker"),
            }
            for number, segment in enumerate(segments)
        ]
    )


def _read_segment(given: Any, number: int) -> dict[str, Any] | None:
    """Return a segment; None for one without text."""
    if not isinstance(given, dict):
        raise ValidationError(f"Segment {number} is not an object.")
    text, speaker = given.get("text"), given.get("speaker")
    start: Any = given.get("start")
    end: Any = given.get("end")
    if not isinstance(text, str) or not (speaker is None or isinstance(speaker, str)):
        raise ValidationError(f"Segment {number}: text must be a string, and speaker a string or null.")
    if not (_is_time(start) and _is_time(end) and start < end):
        raise ValidationError(f"Segment {number}: start and end must be seconds, start before end.")
    said = normalize(text)
    name = normalize(speaker)[:LONGEST_NAME] or None
    segment = {"start": round(float(start), 3), "end": round(float(end), 3), "text": said, "speaker": name}
    return segment if said else None


def _is_time(value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and 0 <= value <= MOST_SECONDS
