"""What a writer gets: the result of a task, facts about the recording, and the client's choices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.formats.choices import Choices
from app.formats.file_name import clean_name, clean_stem
from app.formats.turns import iter_items, to_milliseconds

NO_TURNS = "The task has no speaker turns; send the recording again with is_diarize=true."


class UnwritableError(Exception):
    """A result that lacks what a format consists of; the message says what to do."""


@dataclass(frozen=True)
class Source:
    """A completed task, as far as its files are about it.

    ``result`` and ``turns`` (the diarizer's, None without) are JSON text, ``length`` is in seconds, ``ended_at`` seconds
    since 1970. ``names`` maps labels of speakers to names.
    """

    result: str
    label: str = ""
    identifier: str = ""
    length: float | None = None
    language: str | None = None
    ended_at: float | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    turns: str | None = None
    choices: Choices = field(default_factory=Choices)

    @property
    def stem(self) -> str:
        """The name of the recording, without its extension."""
        return clean_stem(self.label) or self.identifier or "recording"

    @property
    def recording(self) -> str:
        """The name of the recording; empty if it has none."""
        return clean_name(self.label)

    def measure_length(self) -> int | None:
        """Return the length of the recording in milliseconds; None if it is unknown."""
        return None if self.length is None else max(1, to_milliseconds(self.length))

    def name_speaker(self, label: str | None) -> str | None:
        """Return the name of a speaker, or the label of one without a name."""
        if label is None or self.choices.names is False:
            return label
        return self.names.get(label, label)

    def iter_segments(self) -> Iterator[dict[str, Any]]:
        """Decode the segments one by one, with names in place of labels.

        Two labels with the same name are one speaker from here on.
        """
        for segment in iter_items(self.result):
            if self.names:
                for said in (segment, *(segment.get("words") or ())):
                    said["speaker"] = self.name_speaker(said.get("speaker"))
            yield segment

    def read_turns(self) -> list[tuple[int, int, str]]:
        """Return the turns of the speakers: start and end in milliseconds, and the name.

        Raises UnwritableError if the task did not look for speakers.
        """
        if self.turns is None:
            raise UnwritableError(NO_TURNS)
        found = ((start, end, self.name_speaker(label)) for start, end, label in json.loads(self.turns))
        return [(to_milliseconds(start), to_milliseconds(end), str(name)) for start, end, name in found]
