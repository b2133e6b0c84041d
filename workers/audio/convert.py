"""Convert decoded frames to one sample rate and channel count, which may both change within a recording."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from workers.audio.mixing import Level, Mixer, Sound, to_floats

LAYOUTS = {1: "mono", 2: "stereo"}
MOST_NAMED_CHANNELS = 8
LONGEST_SILENCE_SECONDS = 60
# By default, swresample does not scale a downmix of floats against overflow.
OPTIONS = {"rematrix_maxval": "1.0"}


class Converter:
    """Convert frames to blocks of shape (``channels``, samples) at ``rate`` Hz, float32 in [-1, 1].

    Blocks are at most a second long, silence a minute. ``written`` counts the samples of all blocks.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.rate = rate
        self.written = 0
        self._channels = channels
        self._resampler: AudioResampler | None = None
        self._input: tuple[int, str, str] | None = None
        self._gather = Mixer(1)  # many channels, before they are resampled
        self._mix = Mixer(2)
        self._level = Level(rate)

    def convert(self, frame: AudioFrame) -> Iterator[Sound]:
        """Convert the next frame; its sound may come with a later call."""
        kind = (frame.sample_rate, frame.format.name, frame.layout.name)
        if kind != self._input:
            yield from self.flush()
            self._input = kind
            self._gather = Mixer(frame.layout.nb_channels)
        if frame.layout.nb_channels > 2 and not _is_named(frame):
            mixed = AudioFrame.from_ndarray(self._gather.mix(_arrange(frame)), format="fltp", layout="mono")
            mixed.sample_rate = frame.sample_rate
            frame = mixed
        if self._resampler is None:
            one = frame.layout.nb_channels == 1  # swresample would copy mono to stereo at -3 dB
            self._resampler = AudioResampler(
                format="fltp", layout=LAYOUTS[1 if one else 2], rate=self.rate, frame_size=self.rate, options=OPTIONS
            )
        frame.pts = None
        yield from self._finish(self._resampler.resample(frame))

    def flush(self) -> Iterator[Sound]:
        """Yield what is left of the sound so far."""
        resampler, self._resampler, self._input = self._resampler, None, None
        if resampler is not None:
            yield from self._finish(resampler.resample(None))

    def fill(self, until: float) -> Iterator[Sound]:
        """Yield the sound so far, then silence until the position ``until``, in seconds."""
        yield from self.flush()
        while (missing := round(until * self.rate) - self.written) > 0:
            block = np.zeros((self._channels, min(missing, LONGEST_SILENCE_SECONDS * self.rate)), np.float32)
            self.written += block.shape[1]
            yield block

    def _finish(self, frames: Iterable[AudioFrame]) -> Iterator[Sound]:
        for frame in frames:
            sound = self._level.limit(to_floats(frame))
            self.written += sound.shape[1]
            if self._channels == 1:
                yield self._mix.mix(sound)
            else:
                yield sound if len(sound) == self._channels else np.repeat(sound, self._channels, axis=0)


def _is_named(frame: AudioFrame) -> bool:
    """Whether swresample knows where the loudspeakers stand."""
    name = frame.layout.name
    return frame.layout.nb_channels <= MOST_NAMED_CHANNELS and not ("channels" in name or "ambisonic" in name)


def _arrange(frame: AudioFrame) -> Sound:
    sound = to_floats(frame)
    return sound[:1] if "ambisonic" in frame.layout.name else sound  # the first is the sound from all directions
