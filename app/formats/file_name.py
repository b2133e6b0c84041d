"""The client's name for its recording, as the name of a file that is sent back: shown and encoded, never part of a path here."""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

STEM_BYTES = 180
# Separators of any system, what Windows refuses in names, and everything that is not text: controls, direction marks, surrogates.
UNFIT = re.compile(r'[<>:"|?*]')
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def download_name(label: str, identifier: str, extension: str) -> str:
    """``label`` with another extension, or the identifier where it holds nothing usable."""
    base = re.split(r"[/\\]", label)[-1]
    base = "".join(character for character in base if unicodedata.category(character) not in HIDDEN)
    stem = PurePosixPath(UNFIT.sub("_", base)).stem.strip(" .")
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore").strip()
    return f"{stem or identifier}.{extension}"
