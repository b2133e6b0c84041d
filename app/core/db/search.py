"""Search for text in upper or lower case.

SQLite ignores the case of ASCII letters only, so it calls a function of this module. macOS sends file names with accents as
characters of their own; here, composed and decomposed characters are equal.
"""

from __future__ import annotations

import unicodedata

from peewee import SqliteDatabase

FUNCTION = "contains_text"


def add_function(opened: SqliteDatabase) -> None:
    """Let each connection call ``contains_text`` in SQL."""
    opened.register_function(contains_text, FUNCTION, 2)


def contains_text(value: str, folded: str) -> bool:
    """Whether ``value`` contains the text that ``fold`` returned."""
    return folded in fold(value)


def fold(text: str) -> str:
    """Return composed characters in lower case."""
    return unicodedata.normalize("NFC", text).lower()
