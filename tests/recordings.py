"""Make recordings for tests: samples with numpy, containers with PyAV."""

from __future__ import annotations

import struct
import wave
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

RATE = 16_000
Sound = NDArray[np.int16]


def speech(path: Path) -> Sound:
    """Decode a recording to int16 samples, 16 kHz mono."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    with av.open(str(path)) as container:
        frames = [block for frame in container.decode(audio=0) for block in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames])


def silence(seconds: float) -> Sound:
    return np.zeros(int(seconds * RATE), np.int16)


def wav(path: Path, sound: Sound, rate: int = RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.repeat(sound, channels).tobytes())
    return path


def float_wav(path: Path, sound: NDArray[np.float32]) -> Path:
    data = sound.astype("<f4").tobytes()
    form = struct.pack("<IHHIIHH", 16, 3, 1, RATE, 4 * RATE, 4, 32)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data))
    path.write_bytes(head + data)
    return path


def encoded(path: Path, sound: Sound, codec: str, container: str, options: dict[str, str] | None = None) -> Path:
    """Encode ``sound`` with a codec and container; ``options`` are those of the muxer."""
    with av.open(str(path), "w", format=container, options=options or {}) as output:
        stream: Any = output.add_stream(codec, rate=RATE)
        stream.layout = "mono"
        _encode(output, stream, sound)
    return path


def video(path: Path, sound: Sound | None) -> Path:
    """Write an MP4 of two black seconds, with or without sound."""
    with av.open(str(path), "w", format="mp4") as output:
        picture: Any = output.add_stream("mpeg4", rate=10)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        track: Any = None if sound is None else output.add_stream("aac", rate=RATE, layout="mono")
        black = np.zeros((64, 64, 3), np.uint8)
        for _ in range(20):
            output.mux(picture.encode(av.VideoFrame.from_ndarray(black, format="rgb24")))
        output.mux(picture.encode(None))
        if sound is not None:
            _encode(output, track, sound)
    return path


def _encode(output: Any, stream: Any, sound: Sound) -> None:
    size = 1024
    resampler = av.AudioResampler(format=stream.codec_context.format, layout="mono", rate=RATE, frame_size=size)
    for start in range(0, len(sound), size):
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound[None, start : start + size]), format="s16", layout="mono"
        )
        frame.rate, frame.pts = RATE, start
        for block in resampler.resample(frame):
            output.mux(stream.encode(block))
    for block in resampler.resample(None):
        output.mux(stream.encode(block))
    output.mux(stream.encode(None))
