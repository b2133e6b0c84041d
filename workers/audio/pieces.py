"""Read one audio track packet by packet, past damaged parts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import av

from workers.audio.clock import JITTER, LONGEST_GAP, Piece
from workers.audio.lengths import BARE, find_start
from workers.audio.tracks import MOST_CHANNELS, RATES

# Frame types of AMR from which nothing is said: comfort noise, and no data. FFmpeg decodes neither.
AMR_SILENCE = {"amrnb": 8, "amrwb": 9}
# Between MP3 files that were glued together: a title, or a table of the second file.
TAGS = (b"ID3", b"Xing", b"Info", b"APETAGEX")
OGG_PAGE_BYTES = 8192
RECENT_PACKETS = 250


class TrackReader:
    """Read the pieces of a track of an open container.

    With ``whole``, the packets of all tracks are read: ``reach`` is where the last of them ended, in seconds from the
    start. ``damaged`` is set once a part could not be decoded, ``heard`` is the length of what was, in seconds.
    """

    def __init__(self, container: Any, track: Any, whole: bool) -> None:
        self.damaged = False
        self.reach = 0.0
        self.heard = 0.0
        self.start = find_start(container)
        self._container = container
        self._track = track
        self._index = track.index
        self._whole = whole
        self._bytes = 0.0  # decoded so far
        self._expected: tuple[float, int] | None = None  # time and byte where the next packet begins
        # Floats, as arithmetic with fractions is slow for every packet.
        self._ticks = [float(stream.time_base or 0) for stream in container.streams]
        alone = len(container.streams) == 1
        self._timed = container.format.name not in BARE
        self._watched = alone and self._timed
        self._recent: deque[tuple[int, int]] = deque(maxlen=RECENT_PACKETS)  # byte and size
        track.thread_type = "AUTO"  # frame threads, too; PyAV's default is slices only

    def read(self) -> Iterator[Piece]:
        for packet in self._read_packets():
            if packet.pts is not None and (self._whole or self._watched):
                self._follow(packet)
            if packet.stream.index == self._index:  # stream_index is 0 in the empty packets at the end
                yield from self._decode(packet)

    def _read_packets(self) -> Iterator[Any]:
        packets = self._container.demux(*(() if self._whole else (self._track,)))
        try:
            yield from packets
        except av.error.FFmpegError:
            self.damaged = True

    def _follow(self, packet: Any) -> None:
        """Note where the packet ends, and whether sound is missing before it: time passed, and bytes were skipped."""
        tick = self._ticks[packet.stream.index]
        begin, end = packet.pts * tick, (packet.pts + (packet.duration or 0)) * tick
        self.reach = max(self.reach, end - self.start)
        if not self._watched or packet.pos is None:
            return
        if self._expected is not None and self.heard:
            late, skipped = begin - self._expected[0], packet.pos - self._expected[1]
            if late > JITTER and skipped > late * self._bytes / self.heard / 2:
                self.damaged = True
        self._expected = end, packet.pos + packet.size
        self._recent.append((packet.pos, packet.size))

    def examine_gap(self, seconds: float) -> None:
        """Tell damage from a pause at a gap that was just read, where timestamps alone do not: they come late in Ogg."""
        form = self._container.format.name
        if form == "flac":  # it has no pauses
            self.damaged = True
        elif form == "ogg" and self._recent and self.heard:
            skipped = self._recent[-1][0] - self._recent[0][0] - sum(size for _, size in self._recent)
            self.damaged = self.damaged or skipped > seconds * self._bytes / self.heard / 2 + OGG_PAGE_BYTES

    def _decode(self, packet: Any) -> Iterator[Piece]:
        if self._is_silence(packet):
            yield Piece(self._locate(packet), packet.duration * self._ticks[self._index], None)
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # keep the rest of the recording
            yield from self._skip(packet)
            return
        for frame in frames:
            if frame.sample_rate in RATES and 1 <= frame.layout.nb_channels <= MOST_CHANNELS:
                seconds = frame.samples / frame.sample_rate
                self._bytes += packet.size / len(frames)
                self.heard += seconds
                yield Piece(self._locate(frame), seconds, frame)
            else:
                self.damaged = True

    def _skip(self, packet: Any) -> Iterator[Piece]:
        if packet.size and any(tag in bytes(packet) for tag in TAGS):
            return
        self.damaged = True
        if not self._timed and self._bytes:  # without timestamps, the size tells how much is missing
            yield Piece(None, min(LONGEST_GAP, packet.size * self.heard / self._bytes), None)

    def _locate(self, timed: Any) -> float | None:
        if not self._timed or timed.pts is None:
            return None
        return float(timed.pts * self._ticks[self._index])

    def _is_silence(self, packet: Any) -> bool:
        first = AMR_SILENCE.get(self._track.codec_context.name)
        if first is None or not packet.duration or not 0 < packet.size < 8:
            return False
        return bytes(packet)[0] >> 3 & 0x0F >= first
