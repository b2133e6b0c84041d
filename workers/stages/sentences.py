"""Split text and timed words into sentences.

The algorithm is Punkt (Kiss & Strunk 2006), without NLTK's data files.
"""

from __future__ import annotations

import itertools
import re
from copy import copy
from functools import cache
from typing import Any

from whisperx.utils import PUNKT_LANGUAGES

from workers.device.libraries import SENTENCE_LIBRARY, import_library
from workers.stages.segments import Segment, Word
from workers.stages.tokens import Decode, share_tokens

PAUSE_SECONDS = 1.0  # a longer pause ends a segment
CLAUSE_SECONDS = 7.0  # a longer sentence is cut where a clause ends, as a subtitle would be
CLAUSE_ENDS = re.compile(r"[,;:–—、，；：]$")
# Sentences of languages without spaces end here, where Punkt sees none; so do those of Hindi and Urdu.
FULL_STOPS = re.compile(r"[。！？।۔]+[」』”’)）]*")

# lower case and without the final full stop, as Punkt expects
ABBREVIATIONS = {
    "english": (
        "a.d a.m apr approx assn aug ave b.c blvd bros capt cf co col corp d.c dec dept dr ed e.g eq est et.al feb fig "
        "figs gen gov hon i.e inc jan jr jul jun lt ltd maj mar mr mrs ms mt mts nov oct op p.m ph.d pp prof pvt rep "
        "rev sec sen sept sgt sr st u.k u.n u.s vol vs"
    ),
    "german": (
        "abb abs bd bsp bspw bzgl bzw ca d.h dipl dr etc evtl fr frl geb ggf hr hrsg inkl jh max mind min mio mrd nr "
        "o.ä o.g prof s.o s.u sog st str tel u.a u.u usw v.a vgl z.b z.t zzgl"
    ),
}


@cache
def load_splitter(language: str) -> Any:
    """Load NLTK's PunktSentenceTokenizer for one of its languages, such as ``german``.

    Languages without a list of abbreviations use the English one.
    """
    punkt = import_library(SENTENCE_LIBRARY)  # it takes seconds, which no task needs before its first words
    parameters = punkt.PunktParameters()
    parameters.abbrev_types = set(ABBREVIATIONS.get(language, ABBREVIATIONS["english"]).split())
    return punkt.PunktSentenceTokenizer(parameters)


def split_sentences(text: str, language: str) -> list[tuple[int, int]]:
    """Return the (start, end) of each sentence in ``text``; ``language`` is a code such as ``de``."""
    return list(load_splitter(PUNKT_LANGUAGES.get(language, "english")).span_tokenize(text))


def find_sentence_ends(text: str, language: str) -> set[int]:
    """Return the positions in ``text`` at which a sentence has just ended."""
    return {end for _, end in split_sentences(text, language)} | {match.end() for match in FULL_STOPS.finditer(text)}


def cut_sentences(segment: Segment, words: list[Word], language: str, decode: Decode) -> list[Segment]:
    """Cut a segment after sentences and at pauses; a sentence too long for a subtitle after a clause.

    ``words`` carry the white space before them, and together are the text of the segment; ``decode`` turns tokens into text.
    """
    ends = find_sentence_ends("".join(word["word"] for word in words), language)
    sentences: list[list[Word]] = [[]]
    position = 0
    for word, following in itertools.zip_longest(words, words[1:]):
        sentences[-1].append(word)
        position += len(word["word"])
        if following is not None and (position in ends or following["start"] - word["end"] > PAUSE_SECONDS):
            sentences.append([])
    clauses = [clause for sentence in sentences for clause in _cut_clauses(sentence)]
    texts = ["".join(word["word"] for word in clause).strip() for clause in clauses]
    shares = share_tokens(segment["tokens"], texts, decode)
    parts = zip(clauses, texts, shares, strict=True)
    return [_make_part(segment, clause, text, tokens) for clause, text, tokens in parts if text]


def _cut_clauses(words: list[Word]) -> list[list[Word]]:
    """Cut a sentence of more than ``CLAUSE_SECONDS`` at the best place of its middle half, again and again."""
    span = words[-1]["end"] - words[0]["start"]
    if span <= CLAUSE_SECONDS or len(words) < 2:
        return [words]

    def worth(number: int) -> tuple[bool, bool, float, float]:
        before = words[number - 1]
        share = (before["end"] - words[0]["start"]) / span
        pause = words[number]["start"] - before["end"]
        return 0.25 <= share <= 0.75, bool(CLAUSE_ENDS.search(before["word"])), pause, -abs(share - 0.5)

    cut = max(range(1, len(words)), key=worth)
    return [*_cut_clauses(words[:cut]), *_cut_clauses(words[cut:])]


def _make_part(parent: Segment, words: list[Word], text: str, tokens: list[int]) -> Segment:
    part = copy(parent)
    part["text"], part["tokens"] = text, tokens
    part["start"], part["end"] = words[0]["start"], max(word["end"] for word in words)
    part["words"] = [Word(**{**word, "word": word["word"].strip()}) for word in words if word["word"].strip()]
    return part
