"""How long a recording says it is, and whether a part of it is missing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any

import av

from workers.audio.clock import LONGEST_GAP
from workers.audio.glued import UNKNOWN_LENGTH_BYTES

# Streams without an index: FFmpeg counts the packets for a clock, and estimates the length from the first bit rate.
BARE = frozenset(
    {
        "aac",
        "ac3",
        "act",
        "amr",
        "amrnb",
        "amrwb",
        "aptx",
        "dts",
        "dtshd",
        "eac3",
        "gsm",
        "loas",
        "mlp",
        "mp3",
        "truehd",
    }
)
RIFF = frozenset({"wav", "avi"})
# They give every track the length of the whole recording (ASF), or count frames that were never stored (AVI).
VAGUE = frozenset({"asf", "avi"})
# Shorter differences are normal: codecs pad, and containers round.
TRUNCATED_SECONDS = 1.0
TRUNCATED_SHARE = 0.02
PROBES = 10
CLOCK_TIME = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


@dataclass(frozen=True)
class Length:
    """The stated length of a track in seconds, from the start of the recording.

    ``declared`` may be an estimate, or None. ``stated`` is None unless the recording is cut off when it ends earlier;
    with ``shared``, it is the length of the longest of several tracks.
    """

    declared: float | None
    stated: float | None
    shared: bool = False


def read_length(container: Any, track: Any, source: str) -> Length:
    """Read the length of a track from the headers."""
    declared, shared = _find_declared(container, track)
    form = container.format.name
    if declared is None or (form in BARE and not _states_more_than_it_has(container, track, declared)):
        return Length(declared, None)
    return Length(declared, declared * (_measure_missing(source) if form in RIFF else 1.0), shared)


def is_cut_short(seconds: float, stated: float | None) -> bool:
    return stated is not None and stated - seconds > max(TRUNCATED_SECONDS, TRUNCATED_SHARE * stated)


def is_continuous(container: Any, track: Any, declared: float) -> bool:
    """Whether there is sound all along, and not a jump of the clock that only looks like a long recording.

    Moves the position of ``container``.
    """
    start = find_start(container)
    try:
        for step in range(1, PROBES):
            wanted = start + declared * step / PROBES
            container.seek(int(wanted * av.time_base))
            packet = next(container.demux(track))
            if packet.pts is None or abs(float(packet.pts * packet.time_base) - wanted) > LONGEST_GAP:
                return False
    except (av.error.FFmpegError, StopIteration):  # not an error of the sound: it is not decoded here
        return True
    return True


def find_start(container: Any) -> float:
    """Return the timestamp with which players begin, in seconds: the earliest of all tracks."""
    return 0.0 if container.start_time is None else container.start_time / av.time_base


def _find_declared(container: Any, track: Any) -> tuple[float | None, bool]:
    """Return the length, and whether it is that of other tracks, too."""
    start = find_start(container)
    whole = None if container.duration is None else container.duration / av.time_base
    several = len(container.streams) > 1
    if track.duration is not None and track.time_base is not None:
        own = float(track.duration * track.time_base)
        if several and whole is not None and (container.format.name in VAGUE or abs(own - whole) < TRUNCATED_SECONDS):
            return min(own, whole), True
        begin = start if track.start_time is None else float(track.start_time * track.time_base)
        return max(0.0, begin - start) + own, False
    tagged = _read_tag(track)
    if tagged is not None and whole is not None and tagged - start <= whole + TRUNCATED_SECONDS:
        return max(0.0, tagged - start), False
    return whole, several


def _read_tag(track: Any) -> float | None:
    """Read the end of a Matroska track from the statistics that most programs write."""
    for name, value in track.metadata.items():
        if name.upper().startswith("DURATION") and (found := CLOCK_TIME.match(value)):
            hours, minutes, seconds = found.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    return None


def _states_more_than_it_has(container: Any, track: Any, declared: float) -> bool:
    """Whether a bare stream has a header with a length (MP3), and the file is too small for it."""
    rate = track.codec_context.bit_rate
    return (
        container.format.name == "mp3" and bool(rate) and declared * rate / 8 > container.size * (1 + TRUNCATED_SHARE)
    )


def _measure_missing(source: str) -> float:
    """Return how many times larger a WAV or AVI file was before it was cut off.

    FFmpeg reports only what is left of it; the header still has the original size.
    """
    with open(source, "rb") as file:
        head = file.read(8)
        here = file.seek(0, os.SEEK_END)
    whole = int.from_bytes(head[4:], "little") + len(head)
    return whole / here if head[:4] == b"RIFF" and here < whole < UNKNOWN_LENGTH_BYTES else 1.0
