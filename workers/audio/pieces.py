"""Read one audio track packet by packet, whatever is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import av

from workers.audio.clock import Piece
from workers.audio.lengths import BARE, find_start
from workers.audio.tracks import MOST_CHANNELS, RATES

# Frame types of AMR from which nothing is said: comfort noise, and no data. FFmpeg decodes neither.
AMR_SILENCE = {"amrnb": 8, "amrwb": 9}


class TrackReader:
    """Read the pieces of a track of an open container.

    With ``whole``, the packets of all tracks are read: ``reach`` is where the last of them ended, in seconds from the
    start. ``damaged`` is set once a part could not be decoded.
    """

    def __init__(self, container: Any, track: Any, whole: bool) -> None:
        self.damaged = False
        self.reach = 0.0
        self.start = find_start(container)
        self._container = container
        self._track = track
        self._whole = whole
        self._timed = container.format.name not in BARE
        track.thread_type = "AUTO"  # frame threads, too; PyAV's default is slices only

    def read(self) -> Iterator[Piece]:
        for packet in self._read_packets():
            if packet.pts is not None and packet.time_base is not None:
                end = float((packet.pts + (packet.duration or 0)) * packet.time_base) - self.start
                self.reach = max(self.reach, end)
            if packet.stream.index == self._track.index:
                yield from self._decode(packet)

    def _read_packets(self) -> Iterator[Any]:
        packets = self._container.demux(*(() if self._whole else (self._track,)))
        try:
            yield from packets
        except av.error.FFmpegError:
            self.damaged = True

    def _decode(self, packet: Any) -> Iterator[Piece]:
        if self._is_silence(packet):
            yield Piece(self._locate(packet), float(packet.duration * packet.time_base), None)
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError:  # keep the rest of the recording
            self.damaged = True
            return
        for frame in frames:
            if frame.sample_rate in RATES and 1 <= frame.layout.nb_channels <= MOST_CHANNELS:
                yield Piece(self._locate(frame), frame.samples / frame.sample_rate, frame)
            else:
                self.damaged = True

    def _locate(self, timed: Any) -> float | None:
        if not self._timed or timed.pts is None or timed.time_base is None:
            return None
        return float(timed.pts * timed.time_base)

    def _is_silence(self, packet: Any) -> bool:
        first = AMR_SILENCE.get(self._track.codec_context.name)
        if first is None or not packet.duration or not 0 < packet.size < 8:
            return False
        return bytes(packet)[0] >> 3 & 0x0F >= first
