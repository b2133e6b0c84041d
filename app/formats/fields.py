"""Fields of formats whose fields are separated by spaces."""

from __future__ import annotations

import re


def write_field(text: str) -> str:
    """Write white space as ``_``."""
    return re.sub(r"\s", "_", text)


def write_file_field(stem: str) -> str:
    """Write the name of a recording: a line that begins with ``;;`` would be a comment."""
    return write_field(stem).replace(";", "_")
