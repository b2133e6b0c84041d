"""Decode a recording, or its beginning, for the speech models: 16 kHz mono float32."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from app.core.params import AUTO, ListeningOptions, RecordingOptions
from workers.audio import listening, media
from workers.audio.waveform import Waveform
from workers.device.run import Run

SAMPLE_RATE = 16_000
BYTES_PER_SECOND = 4 * SAMPLE_RATE
Samples = NDArray[np.float32]


def decode(run: Run[ListeningOptions], copies: int = 1) -> Samples:
    """Decode the whole recording, once there is memory for so many ``copies`` of it.

    Its waveform is stored, and on request a copy for listening.
    Returns samples of shape (samples,), float32 in [-1, 1] at 16 kHz, finite. Raises SpeechError: invalid_media,
    unsupported_media, no_audio, too_long, invalid_parameters; and ReturnedError.
    """
    audio = run.device.audio
    with media.open_recording(run) as recording:
        if recording.declared is not None:
            run.measure_recording(recording.declared)
        audio.reserve(run.share, copies * BYTES_PER_SECOND * int(recording.declared or 0.0))
        gathered = SampleBuffer(recording.declared)
        for block in recording.blocks(SAMPLE_RATE, channels=1):
            gathered.add(block[0])
            run.advance(recording.progress)
        samples = gathered.samples()
    run.measure_recording(len(samples) / SAMPLE_RATE)
    audio.correct(run.share, copies * samples.nbytes)
    waveform = Waveform(SAMPLE_RATE)
    waveform.add(samples[None])
    listening.store_waveform(run, waveform)
    if run.params.listening_copy == AUTO and not recording.playback.is_played:
        listening.store_copy(run, listening.cut_pieces(samples))
    return samples


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
