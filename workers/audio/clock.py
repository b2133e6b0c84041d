"""Place decoded sound where its timestamps say; silence fills what is missing.

Players do the same: they play a packet at its timestamp. Timestamps of damaged files are wrong in ways that must not
move the rest, so that only a step which the following packets confirm counts, and only up to ``LONGEST_GAP``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from av.audio.frame import AudioFrame

# All in seconds. Containers round, codecs pad, and live recordings stamp packets when they arrive.
JITTER = 0.1
CONFIRMED_AFTER = 0.25
LONGEST_OVERLAP = 1.0
LONGEST_GAP = 3600.0
# A longer step is a fault of the clock: that of MPEG, for example, starts again after 26.5 h.
LONGEST_PAUSE = 12 * 3600.0


@dataclass(frozen=True)
class Piece:
    """A part of the recording.

    ``at`` is its timestamp in seconds, None if it has none. ``frame`` is None for silence; ``gap``: nothing is stored
    there.
    """

    at: float | None
    seconds: float
    frame: AudioFrame | None
    gap: bool = False


class Clock:
    """The position in the recording, in seconds from its start.

    ``jumps`` are the steps ahead that were too long to be gaps, as (position, seconds).
    """

    def __init__(self) -> None:
        self.position = 0.0
        self.jumps: list[tuple[float, float]] = []
        self._offset = 0.0
        self._jumped_back = 0.0

    @property
    def ignored(self) -> float:
        """The length of all jumps, in seconds."""
        return sum(seconds for _, seconds in self.jumps)

    def start_part(self, first: float) -> None:
        """Begin a part whose timestamps start at ``first`` seconds."""
        self._offset = self.position - first

    def place(self, pieces: Iterable[Piece]) -> Iterator[Piece]:
        """Yield all pieces in their order, and silence for the gaps between them."""
        waiting: deque[Piece] = deque()
        for piece in pieces:
            waiting.append(piece)
            yield from self._advance(waiting)
        yield from self._advance(waiting, final=True)

    def _advance(self, waiting: deque[Piece], final: bool = False) -> Iterator[Piece]:
        while waiting:
            lead = self._measure_lead(waiting[0], self.position)
            if lead > JITTER or lead < -LONGEST_OVERLAP:
                confirmed = self._is_confirmed(waiting, lead)
                if confirmed is None and not final:
                    return
                if confirmed and self._follow(lead):
                    yield Piece(None, lead, None, gap=True)
            piece = waiting.popleft()
            self.position += piece.seconds
            yield piece

    def _measure_lead(self, piece: Piece, position: float) -> float:
        """How much later than ``position`` the timestamp of ``piece`` is."""
        return 0.0 if piece.at is None else piece.at + self._offset - position

    def _is_confirmed(self, waiting: Iterable[Piece], lead: float) -> bool | None:
        """Whether the pieces after a step keep it; None if there are too few.

        A single wrong timestamp does not, nor do packets that arrived late and then catch up.
        """
        heard = 0.0
        for piece in waiting:
            later = self._measure_lead(piece, self.position + heard) if piece.at is not None else lead
            if later < lead - JITTER if lead > 0 else later > lead + JITTER:
                return False
            heard += piece.seconds
            if heard >= CONFIRMED_AFTER:
                return True
        return None

    def _follow(self, lead: float) -> bool:
        """Accept a step of the timestamps; True if it is a gap."""
        returns = self._jumped_back > 0 and abs(lead - self._jumped_back) < LONGEST_OVERLAP
        if JITTER < lead <= LONGEST_GAP and not returns:
            self.position += lead
            return True
        if lead > LONGEST_GAP:
            self.jumps.append((self.position, lead))
        self._jumped_back = max(0.0, -lead)  # a clock that returns later leaves no gap
        self._offset -= lead
        return False
