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
    return f"{clean_stem(label) or identifier}.{extension}"


def clean_stem(label: str) -> str:
    """Return the usable part of a file name, without its extension; it may be empty."""
    stem = PurePosixPath(clean_name(label)).stem.strip(" .")
    return stem.encode()[:STEM_BYTES].decode(errors="ignore").strip()


def clean_name(label: str) -> str:
    """Return the usable part of a file name; it may be empty."""
    base = re.split(r"[/\\]", label)[-1]
    base = "".join(character for character in base if unicodedata.category(character) not in HIDDEN)
    return UNFIT.sub("_", base)


def original_name(label: str, identifier: str) -> str:
    """Keep the extension of ``label``, if it has one."""
    extension = PurePosixPath(re.split(r"[/\\]", label)[-1]).suffix.lstrip(".")
    return download_name(label, identifier, extension if EXTENSION.fullmatch(extension) else NO_EXTENSION)
