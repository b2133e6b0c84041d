"""Find words and phrases in a transcript."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from app.api.assemblyai.words import Word
from app.formats.text import normalize

EDGES = re.compile(r"^[\W_]+|[\W_]+$")
MOST_TERMS = 100


def split_terms(text: str) -> list[str]:
    """Split ``a,b c`` into terms, each once."""
    return list(dict.fromkeys(term for part in text.split(",") if (term := normalize(part))))


def search_words(words: Sequence[Word], terms: Sequence[str]) -> dict[str, Any]:
    """Find ``terms``, which may have several words, without regard to case and punctuation.

    A term that does not occur has no match.
    """
    forms = [_simplify(word.text) for word in words]
    places: dict[str, list[int]] = defaultdict(list)
    for place, form in enumerate(forms):
        places[form].append(place)
    matches: list[dict[str, Any]] = []
    for term in terms:
        sought = [form for part in term.split(" ") if (form := _simplify(part))]
        starts = places.get(sought[0], []) if sought else []
        found = [place for place in starts if forms[place : place + len(sought)] == sought]
        if found:
            spans = [[words[place].start, words[place + len(sought) - 1].end] for place in found]
            matches.append({"text": term, "count": len(found), "timestamps": spans, "indexes": found})
    return {"total_count": sum(len(match["indexes"]) for match in matches), "matches": matches}


def _simplify(text: str) -> str:
    return EDGES.sub("", text).casefold()
