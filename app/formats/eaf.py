"""EAF of ELAN, in its format 3.0.

Each speaker has a tier of utterances and, below it, one of words. Time slots are sorted, and each boundary has one of its
own: else, moving one in ELAN would move others.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from mimetypes import MimeTypes
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from app.formats.source import Source
from app.formats.text import drop_noncharacters
from app.formats.tiers import Interval, Tiers, gather_speech, gather_tiers

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ANNOTATION_DOCUMENT AUTHOR="" DATE="{date}" FORMAT="3.0" VERSION="3.0" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"\n'
    '    xsi:noNamespaceSchemaLocation="http://www.mpi.nl/tools/elan/EAFv3.0.xsd">\n'
)
TAIL = """    <LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="utterance" TIME_ALIGNABLE="true"/>
    <LINGUISTIC_TYPE CONSTRAINTS="Included_In" GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="word" TIME_ALIGNABLE="true"/>
    <CONSTRAINT DESCRIPTION="Time alignable annotations within the parent annotation's time interval, gaps are allowed" \
STEREOTYPE="Included_In"/>
</ANNOTATION_DOCUMENT>
"""
UNKNOWN_TYPE = "unknown"  # ELAN's own word
INDEX_BITS = 32
KNOWN_TYPES = MimeTypes()  # those of Python, not those of this machine


def write(source: Source) -> Iterator[str]:
    """Write a transcript."""
    words = source.choices.words is not False
    return _write_tiers(source, gather_tiers(source, words), words)


def write_speech(source: Source) -> Iterator[str]:
    """Write speech segments, which have no text."""
    return _write_tiers(source, gather_speech(source), words=False)


def _write_tiers(source: Source, found: Tiers, words: bool) -> Iterator[str]:
    rows: list[tuple[str, list[Interval]]] = []
    for tier, name in zip(found.tiers, found.name_word_tiers(), strict=True):
        participant = f" PARTICIPANT={_attribute(tier.speaker)}" if tier.speaker else ""
        rows.append((f'LINGUISTIC_TYPE_REF="utterance"{participant} TIER_ID={_attribute(tier.name)}', tier.utterances))
        if words:
            parent = f"PARENT_REF={_attribute(tier.name)}{participant}"
            inside = [word for each in tier.utterances for word in each.words]
            rows.append((f'LINGUISTIC_TYPE_REF="word" {parent} TIER_ID={_attribute(name)}', inside))
    values, slots = _sort_slots([each for _, intervals in rows for each in intervals])
    yield HEAD.format(date=_format_date(source.ended_at))
    yield f'    <HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">\n{_describe_recording(source.recording)}'
    yield f'        <PROPERTY NAME="lastUsedAnnotationId">{len(slots) // 2}</PROPERTY>\n    </HEADER>\n    <TIME_ORDER>\n'
    for number, value in enumerate(values, 1):
        yield f'        <TIME_SLOT TIME_SLOT_ID="ts{number}" TIME_VALUE="{value}"/>\n'
    yield "    </TIME_ORDER>\n"
    written = 0
    for attributes, intervals in rows:
        yield f"    <TIER {attributes}>\n" if intervals else f"    <TIER {attributes}/>\n"
        for each in intervals:
            first, last = slots[2 * written], slots[2 * written + 1]
            written += 1
            yield (
                f'        <ANNOTATION>\n            <ALIGNABLE_ANNOTATION ANNOTATION_ID="a{written}" '
                f'TIME_SLOT_REF1="ts{first}" TIME_SLOT_REF2="ts{last}">\n                <ANNOTATION_VALUE>'
                f"{escape(drop_noncharacters(each.text))}</ANNOTATION_VALUE>\n"
                "            </ALIGNABLE_ANNOTATION>\n        </ANNOTATION>\n"
            )
        if intervals:
            yield "    </TIER>\n"
    yield TAIL


def _sort_slots(intervals: list[Interval]) -> tuple[list[int], list[int]]:
    """Return the times of all slots in order, and the numbers of the slots of each interval: its start, its end."""
    # One number for time and place takes a quarter of the memory of a pair.
    bounds = [moment for each in intervals for moment in (each.start, each.end)]
    ordered = sorted(moment << INDEX_BITS | place for place, moment in enumerate(bounds))
    slots = [0] * len(ordered)
    for number, each in enumerate(ordered, 1):
        slots[each & (1 << INDEX_BITS) - 1] = number
    return [each >> INDEX_BITS for each in ordered], slots


def _describe_recording(name: str) -> str:
    """Name the recording beside the file; ELAN asks for it if it is not there."""
    if not name:
        return ""
    url = quote(name)
    kind = KNOWN_TYPES.guess_type(name)[0] or UNKNOWN_TYPE
    return f'        <MEDIA_DESCRIPTOR MEDIA_URL="{url}" MIME_TYPE="{kind}" RELATIVE_MEDIA_URL="./{url}"/>\n'


def _attribute(text: str) -> str:
    return quoteattr(drop_noncharacters(text))


def _format_date(seconds: float | None) -> str:
    return datetime.fromtimestamp(int(seconds or 0), timezone.utc).isoformat()
