"""Decode a recording, or its beginning, for the speech models: 16 kHz mono float32."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from app.core.params import RecordingOptions
from workers.audio import media
from workers.device.run import Run

SAMPLE_RATE = 16_000
Samples = NDArray[np.float32]


def decode(run: Run[RecordingOptions]) -> Samples:
    """Decode the whole recording.

    Returns samples of shape (samples,), float32 in [-1, 1] at 16 kHz, finite. Raises SpeechError: invalid_media,
    unsupported_media, no_audio, too_long, invalid_parameters.
    """
    with media.open_recording(run) as recording:
        gathered = SampleBuffer(recording.declared)
        for block in recording.blocks(SAMPLE_RATE, channels=1):
            gathered.add(block[0])
            run.advance(recording.progress)
        return gathered.samples()


def decode_beginning(run: Run[RecordingOptions], seconds: float) -> Generator[Samples, None, None]:
    """Decode in steps: yield the first ``seconds`` of the recording, then twice as much each time, at last the whole.

    What follows the last step is not read if the iterator is closed. Samples and errors are those of ``decode``.
    """
    with media.open_recording(run) as recording:
        gathered = SampleBuffer(seconds)
        for block in recording.blocks(SAMPLE_RATE, channels=1):
            gathered.add(block[0])
            if gathered.seconds >= seconds:
                yield gathered.copy()
                seconds = 2 * gathered.seconds
        yield gathered.samples()


class SampleBuffer:
    """A sample buffer that grows in place.

    A list of blocks would take twice the memory when joined: an hour is 230 MB.
    """

    def __init__(self, expected_seconds: float | None) -> None:
        self._buffer = np.empty(int(max(0.0, expected_seconds or 60.0) * SAMPLE_RATE) + SAMPLE_RATE, np.float32)
        self._filled = 0

    def add(self, block: Samples) -> None:
        needed = self._filled + len(block)
        if needed > len(self._buffer):
            self._buffer.resize(max(2 * len(self._buffer), needed), refcheck=False)
        self._buffer[self._filled : needed] = block
        self._filled = needed

    @property
    def seconds(self) -> float:
        return self._filled / SAMPLE_RATE

    def copy(self) -> Samples:
        """Return a copy of all samples so far; the buffer may move in memory later."""
        return np.array(self._buffer[: self._filled])

    def samples(self) -> Samples:
        """Return all samples; nothing can be added afterwards."""
        self._buffer.resize(self._filled, refcheck=False)
        return self._buffer
