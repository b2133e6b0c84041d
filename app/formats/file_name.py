"""Build the file names of downloads from client file names.

They are never used as paths on the server.
"""

from __future__ import annotations

import re
import unicodedata
from pathlib import PurePosixPath

STEM_BYTES = 180
EXTENSION = re.compile("[A-Za-z0-9]{1,10}", re.ASCII)
NO_EXTENSION = "bin"
# Characters that Windows forbids in file names.
UNFIT = re.compile(r'[<>:"|?*]')
# Unicode categories that are not visible text: control characters, direction marks, surrogates, line separators.
HIDDEN = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def download_name(label: str, identifier: str, extension: str) -> str:
    """Replace the extension of ``label``.

    Without a usable stem, use the identifier.
    """
    base = re.split(r"[/\\]", label)[-1]
    base = "".join(character for character in base if unicodedata.category(character) not in HIDDEN)
    stem = PurePosixPath(UNFIT.sub("_", base)).stem.strip(" .")
    stem = stem.encode()[:STEM_BYTES].decode(errors="ignore").strip()
    return f"{stem or identifier}.{extension}"


def original_name(label: str, identifier: str) -> str:
    """Keep the extension of ``label``, if it has one."""
    extension = PurePosixPath(re.split(r"[/\\]", label)[-1]).suffix.lstrip(".")
    return download_name(label, identifier, extension if EXTENSION.fullmatch(extension) else NO_EXTENSION)
