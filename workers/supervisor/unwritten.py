"""What a run has reported that the database does not have yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workers.device.protocol import Progress


class Unwritten:
    """The newest progress of a run, with all facts and segments since the last time that it was written.

    ``is_urgent``: clients wait for more than a larger number: for a new stage, a new fact, or the first segments.
    """

    def __init__(self) -> None:
        self.latest: Progress | None = None
        self.is_urgent = False
        self._stage = ""
        self._facts: Mapping[str, Any] = {}

    def add(self, message: Progress) -> None:
        starts = bool(message.segments) and message.first == 0
        self.is_urgent |= starts or message.stage != self._stage or message.facts != self._facts
        self._stage, self._facts = message.stage, message.facts
        earlier, self.latest = self.latest, message
        if earlier is None:
            return
        self.latest = replace(message, facts=earlier.facts | message.facts)
        if earlier.segments and not starts:  # a run that starts over, with less memory, shows its segments again
            self.latest = replace(self.latest, first=earlier.first, segments=earlier.segments + message.segments)

    def clear(self) -> None:
        """Note that all of it is written."""
        self.latest, self.is_urgent = None, False
