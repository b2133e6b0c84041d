"""Name the parameters that an unknown one may mean."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection

MOST_SUGGESTIONS = 3
SHORTEST = 3  # letters of a name that may be part of a longer one
FORMAT = ("format", "output", "output_format", "response_format")
# Names in other speech APIs and programs that look different from ours.
SYNONYMS = {
    "attachment": "file",
    "audio": "file",
    "audio_url": "file_url",
    "diarisation": "is_diarize",
    "diarization": "is_diarize",
    "glossary": "initial_prompt",
    "keyterms": "hotwords",
    "keywords": "hotwords",
    "language": "lang",
    "language_code": "lang",
    "link": "file_url",
    "media": "file",
    "recording": "file",
    "source": "file",
    "speaker_count": "num_speakers",
    "speaker_labels": "is_diarize",
    "speakers_expected": "num_speakers",
    "state": "status",
    "task": "is_translate",
    "timestamp_granularities": "word_timestamps",
    "upload": "file",
    "uri": "file_url",
    "vocabulary": "hotwords",
    "word_boost": "hotwords",
}


def explain_unknown(name: str, known: Collection[str]) -> str:
    """Say what to send instead of an unknown parameter."""
    if _simplify(name) in FORMAT and "format" not in known:
        return "Unknown parameter. The format is a parameter of GET /task/<identifier>/result."
    near = suggest_names(name, known)
    if near:
        return f"Unknown parameter. Do you mean {' or '.join(near)}?"
    return "Unknown parameter. The documentation at /docs lists all parameters."


def suggest_names(name: str, known: Collection[str]) -> list[str]:
    """List the names in ``known`` that ``name`` may mean, the likeliest first."""
    plain = _simplify(name[:100])
    for each in known:
        if each == SYNONYMS.get(plain) or each.replace("_", "") == plain.replace("_", ""):
            return [each]
    spelt = difflib.get_close_matches(plain, known, MOST_SUGGESTIONS, cutoff=0.75)
    parts = [each for each in known if _is_part(plain, each) or _is_part(each, plain)]
    return list(dict.fromkeys([*spelt, *sorted(parts, key=len)]))[:MOST_SUGGESTIONS]


def _simplify(name: str) -> str:
    return re.sub(r"\W+", "_", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name), flags=re.ASCII).strip("_").lower()


def _is_part(part: str, whole: str) -> bool:
    """Whether the words of ``part`` stand together in ``whole``."""
    return len(part) >= SHORTEST and f"_{part}_" in f"_{whole}_"
