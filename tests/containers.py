"""Make recordings with several tracks, and with the timestamps of live, cut and damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from tests.recordings import RATE, Sound

BURST_SECONDS = 0.2
# Encoders blur the edge of a burst, and codecs without an exact delay shift it by some ms.
EXACT = 0.07


@dataclass(frozen=True)
class Track:
    """An audio track; ``stamp`` maps the time of a packet to its timestamp, both in seconds.

    ``quality`` selects a variable bit rate.
    """

    sound: NDArray[np.int16]
    codec: str = "libopus"
    stamp: Callable[[float], float] = lambda at: at
    rate: int = RATE
    default: bool | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    layout: str = "mono"
    quality: int | None = None


def bursts(seconds: float, *starts: float, rate: int = RATE) -> Sound:
    """Make silence with a burst of 1 kHz at each start."""
    sound = np.zeros(int(seconds * rate))
    tone = 12_000 * np.sin(2 * np.pi * 1000 * np.arange(int(BURST_SECONDS * rate)) / rate)
    for start in starts:
        place = sound[int(start * rate) : int(start * rate) + len(tone)]
        place[:] = tone[: len(place)]
    return sound.astype(np.int16)


def heard(samples: NDArray[np.float32], rate: int = RATE) -> list[float]:
    """Find where bursts start, in seconds."""
    step = rate // 100
    whole = samples[: len(samples) // step * step]
    loud = np.flatnonzero(abs(whole).reshape(-1, step).max(axis=1) > 0.05 * abs(samples).max())
    return [float(n) / 100 for k, n in enumerate(loud) if not k or n - loud[k - 1] > 5]


def write(
    path: Path, container: str, *tracks: Track, picture: float = 0.0, options: dict[str, str] | None = None
) -> Path:
    """Write ``tracks`` to a container, after ``picture`` seconds of a black video."""
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        video: Any = None
        if picture:
            video = output.add_stream("flv" if container == "flv" else "mpeg4", rate=10)
            video.width = video.height = 64
            video.pix_fmt = "yuv420p"
        streams = [_add(output, track) for track in tracks]
        packets = [packet for track, stream in zip(tracks, streams, strict=True) for packet in _encode(track, stream)]
        if video is not None:
            black = av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            for number in range(int(picture * 10)):
                black.pts = number
                packets += [(number / 10, packet) for packet in video.encode(black)]
            packets += [(picture, packet) for packet in video.encode(None)]
        for _, packet in sorted(packets, key=lambda timed: timed[0]):
            output.mux(packet)
    return path


def _add(output: Any, track: Track) -> Any:
    stream = output.add_stream(track.codec, rate=track.rate, layout=track.layout)
    if track.quality is None:
        stream.bit_rate = 64_000  # the default of some encoders is too high for one channel
    else:
        stream.codec_context.qscale = True
        stream.codec_context.global_quality = track.quality * 118  # FF_QP2LAMBDA
    stream.metadata.update(track.metadata)
    if track.default is not None:
        stream.disposition = 1 if track.default else 0
    return stream


def _encode(track: Track, stream: Any) -> list[tuple[float, Any]]:
    context = stream.codec_context
    context.open(strict=False)
    resampler = av.AudioResampler(context.format, track.layout, track.rate, frame_size=context.frame_size or 1024)
    sound = np.atleast_2d(track.sound)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound.T.reshape(1, -1)), format="s16", layout=track.layout)
    frame.rate, frame.pts = track.rate, 0
    frames = [*resampler.resample(frame), *resampler.resample(None)]
    made = []
    for packet in [packet for piece in [*frames, None] for packet in stream.encode(piece)]:
        at = float(packet.pts * packet.time_base)
        packet.pts = packet.dts = round(track.stamp(at) / packet.time_base)
        made.append((at, packet))
    return made
