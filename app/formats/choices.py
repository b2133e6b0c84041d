"""What a client may choose about a file, and the formats in which each choice has an effect."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

BRACKETS, F4 = "brackets", "f4"
SUITABLE: dict[str, tuple[str, ...]] = {
    "names": ("txt", "srt", "vtt", "tsv", "textgrid", "eaf", "rttm", "audacity", "qda", "nvivo", "docx"),
    "words": ("textgrid", "eaf", "audacity"),
    "stamps": ("qda", "docx"),
    "unsure": ("docx",),
}


@dataclass(frozen=True)
class Choices:
    """How a file is written; None: as usual for its format.

    ``names``: the names of speakers, not their labels. ``words``: the times of words. ``stamps``: how times are written.
    ``unsure``: mark words of which the model is not sure.
    """

    names: bool | None = None
    words: bool | None = None
    stamps: str | None = None
    unsure: bool | None = None

    def list_made(self) -> list[str]:
        """List the choices that the client has made."""
        return [name for name, value in asdict(self).items() if value is not None]


def read_choices(params: dict[str, Any]) -> Choices:
    """Take the choices from the parameters of a request."""
    return Choices(**{name: params.get(name) for name in SUITABLE})


def explain_unsuitable(file_format: str, choices: Choices) -> dict[str, list[str]]:
    """Say which choices have no effect on a format, and where they have one."""
    return {
        name: [f"Has no effect on {file_format}; it is for {', '.join(SUITABLE[name])}."]
        for name in choices.list_made()
        if file_format not in SUITABLE[name]
    }
