"""Word documents, written with python-docx: a title and a paragraph a turn, with the names in bold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from io import BytesIO
from itertools import groupby
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from app.formats.paragraphs import Paragraph, iter_paragraphs
from app.formats.source import Source
from app.formats.text import drop_noncharacters, normalize
from app.formats.turns import Piece, join_pieces

if TYPE_CHECKING:
    from docx.document import Document

UNSURE = 0.35  # words with a lower probability are marked,
UNSURE_PART = 0.05  # but not more than this part of all words
EARLIEST = (1980, 1, 1, 0, 0, 0)  # that a ZIP can express
RIGHT_TO_LEFT = ("ar", "fa", "he", "ps", "sd", "ur", "yi")
EAST_ASIAN = ("ja", "ko", "yue", "zh")
THUMBNAIL = "/thumbnail"


def write(source: Source) -> Iterator[bytes]:
    """Write a transcript."""
    # Imported on first use: it takes memory that most web processes never need.
    from docx import Document

    document = Document()
    _set_properties(document, source)
    if source.language:
        _set_language(document, source.language)
    document.add_heading(_find_title(source), level=0)
    paragraphs = list(iter_paragraphs(source))
    limit = _find_limit(paragraphs) if source.choices.unsure else 0.0
    for each in paragraphs:
        _add_paragraph(document, each, limit)
    yield _pack(document)


def _find_title(source: Source) -> str:
    return drop_noncharacters(normalize(source.recording)) or source.stem


def _set_properties(document: Document, source: Source) -> None:
    """Replace what the library's template says about itself."""
    ended = datetime.fromtimestamp(int(source.ended_at or 0), timezone.utc).replace(tzinfo=None)
    known = document.core_properties
    known.title, known.language = _find_title(source)[:255], source.language or ""
    known.author = known.comments = known.last_modified_by = ""
    known.created = known.modified = ended
    relations = document.part.package.rels  # type: ignore[union-attr]  # only a part without a file has no package
    for name in [name for name, each in relations.items() if each.reltype.endswith(THUMBNAIL)]:
        del relations[name]


def _set_language(document: Document, language: str) -> None:
    """Set the language that Word checks the spelling with, and the direction of the paragraphs."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    (known,) = document.styles.element.xpath("w:docDefaults/w:rPrDefault/w:rPr/w:lang")
    known.set(qn("w:val"), language)
    if language in EAST_ASIAN:
        known.set(qn("w:eastAsia"), language)
    if language in RIGHT_TO_LEFT:
        known.set(qn("w:bidi"), language)
        document.styles["Normal"].element.get_or_add_pPr().append(OxmlElement("w:bidi"))


def _find_limit(paragraphs: Sequence[Paragraph]) -> float:
    """Return the probability below which words are marked."""
    known = sorted(piece.probability for each in paragraphs for piece in each.pieces if piece.probability is not None)
    most = math.ceil(len(known) * UNSURE_PART)
    return min(UNSURE, known[most]) if most < len(known) else UNSURE


def _add_paragraph(document: Document, each: Paragraph, limit: float) -> None:
    from docx.enum.text import WD_COLOR_INDEX

    paragraph = document.add_paragraph(each.before)
    if each.speaker:
        paragraph.add_run(drop_noncharacters(each.speaker)).bold = True
        paragraph.add_run(": ")
    for number, (unsure, pieces) in enumerate(_group(each.pieces, limit)):
        space = " " if number and pieces[0].spaced else ""
        if space:
            paragraph.add_run(space)
        run = paragraph.add_run(drop_noncharacters(join_pieces(pieces)))
        if unsure:
            run.font.highlight_color = WD_COLOR_INDEX.YELLOW
    if each.after:
        paragraph.add_run(each.after)


def _group(pieces: list[Piece], limit: float) -> Iterator[tuple[bool, list[Piece]]]:
    """Group neighbouring pieces by whether they are unsure."""
    groups = groupby(pieces, key=lambda piece: piece.probability is not None and piece.probability < limit)
    return ((unsure, list(group)) for unsure, group in groups)


def _pack(document: Document) -> bytes:
    """Return the file; its parts have no time, so that the same transcript gives the same bytes."""
    saved, packed = BytesIO(), BytesIO()
    document.save(saved)
    with ZipFile(saved) as parts, ZipFile(packed, "w") as archive:
        for name in parts.namelist():
            archive.writestr(ZipInfo(name, EARLIEST), parts.read(name), ZIP_DEFLATED)
    return packed.getvalue()
