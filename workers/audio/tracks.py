"""Choose the audio track to decode."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import av
import numpy as np

from app.core.errors import SpeechError
from workers.audio.mixing import to_floats

# Others are corrupt or hostile: resampled from 1 Hz, a small file would fill the memory.
RATES = range(1000, 768_001)
MOST_CHANNELS = 64
# A track with less sound, such as one with a single notification, is passed over for another.
HEARD_SECONDS = 3.0
SILENT_PEAK = 1e-4  # -80 dB: noise of a muted converter
DEFAULT = 0x1  # AV_DISPOSITION_DEFAULT


def choose_track(
    container: Any, wanted: int | None, warn: Callable[[str], None], reopen: Callable[[], AbstractContextManager[Any]]
) -> int:
    """Return the number of the track to decode, among the audio tracks.

    It is ``wanted``, or the track that a player takes: the default, else the first. If that cannot be decoded or is
    silent, it is the next, with a warning. ``reopen`` opens the recording once more, to look for silence.
    Raises SpeechError: no_audio, invalid_parameters, unsupported_media, invalid_media.
    """
    found = list_tracks(container)
    if wanted is not None:
        return check_track(found, wanted)
    ranked = rank_tracks(found)
    chosen = ranked[0]
    if len(ranked) > 1:
        with reopen() as probe:
            chosen = find_heard_track(probe, ranked)
    usual = min(range(len(found)), key=lambda number: (not _is_default(found[number]), number))
    if chosen != usual:
        others = ", ".join(describe_track(found, number) for number in range(len(found)) if number != chosen)
        why = "is silent" if usual in ranked else "cannot be decoded"
        warn(
            f"audio_track: track {describe_track(found, chosen)} was used, because track {usual} {why}; the others are"
            f" {others}"
        )
    return chosen


def list_tracks(container: Any) -> list[Any]:
    """List the audio tracks. Raises SpeechError no_audio if there are none."""
    if not container.streams.audio:
        raise SpeechError("no_audio", "The file has no audio track.")
    return list(container.streams.audio)


def check_track(tracks: Sequence[Any], number: int) -> int:
    """Return ``number`` if that track can be decoded.

    Raises SpeechError: invalid_parameters, unsupported_media, invalid_media.
    """
    if number >= len(tracks):
        count = "1 audio track" if len(tracks) == 1 else f"{len(tracks)} audio tracks"
        raise SpeechError("invalid_parameters", f"audio_track {number} does not exist: the recording has {count}.")
    error = _find_obstacle(tracks[number])
    if error is not None:
        raise error
    return number


def rank_tracks(tracks: Sequence[Any]) -> list[int]:
    """Rank the tracks that can be decoded: those marked as the default first.

    Raises SpeechError if there are none: unsupported_media, invalid_media.
    """
    obstacles = [_find_obstacle(track) for track in tracks]
    ranked = [number for number, error in enumerate(obstacles) if error is None]
    if not ranked:
        raise next(error for error in obstacles if error is not None)
    return sorted(ranked, key=lambda number: not _is_default(tracks[number]))


def find_heard_track(container: Any, ranked: Sequence[int]) -> int:
    """Return the first of the ranked tracks that is not silent; the one with most sound if all are.

    Reads on until the first of them has been heard for ``HEARD_SECONDS``, usually the beginning only.
    """
    tracks = list(container.streams.audio)
    heard = dict.fromkeys(ranked, 0.0)
    numbers = {tracks[number].index: number for number in ranked}
    packets = container.demux(*(tracks[number] for number in ranked))
    try:
        for packet in packets:
            number = numbers[packet.stream.index]
            if heard[number] < HEARD_SECONDS:
                heard[number] += _measure_sound(packet)
            if heard[ranked[0]] >= HEARD_SECONDS:
                break
    except av.error.FFmpegError:  # the end of a damaged file; decoding warns of it
        pass
    clear = [number for number in ranked if heard[number] >= HEARD_SECONDS]
    return clear[0] if clear else max(ranked, key=lambda number: heard[number])


def describe_track(tracks: Sequence[Any], number: int) -> str:
    """Describe a track for a warning, such as ``1 (ger, "Commentary", ac3)``."""
    track = tracks[number]
    language, title = track.metadata.get("language", "und"), track.metadata.get("title")
    codec = track.codec_context.name if track.codec_context is not None else "unsupported codec"
    facts = [language if language != "und" else None, title and f'"{title[:50]}"', codec]
    return f"{number} ({', '.join(fact for fact in facts if fact)})"


def _is_default(track: Any) -> bool:
    return bool(int(track.disposition) & DEFAULT)


def _find_obstacle(track: Any) -> SpeechError | None:
    context = track.codec_context
    if context is None:
        return SpeechError("unsupported_media", "The audio track uses an unsupported codec.")
    if context.sample_rate not in RATES:
        return SpeechError("invalid_media", f"The sample rate of {context.sample_rate} Hz is not supported.")
    if not 1 <= context.channels <= MOST_CHANNELS:
        return SpeechError("invalid_media", f"Recordings with {context.channels} channels are not supported.")
    return None


def _measure_sound(packet: Any) -> float:
    """Return how many seconds of the packet are not silent."""
    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return 0.0
    heard = (frame for frame in frames if np.abs(to_floats(frame)).max(initial=0.0) > SILENT_PEAK)
    return float(sum(frame.samples / frame.sample_rate for frame in heard))
