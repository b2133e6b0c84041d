"""Where somebody speaks, as Silero hears it; the only caller of Silero, for /vad and for a transcription's vad_filter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import faster_whisper.vad
import numpy as np
from faster_whisper.vad import get_speech_timestamps
from numpy.typing import NDArray

from app.core.params import VadOptions
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.device import patches

WINDOW = 512  # samples that Silero judges at once
CONTEXT = 64  # samples before them that it sees too
BLOCK = 2048 * WINDOW  # samples a call: a minute of sound

Intervals = list[tuple[float, float]]
Probabilities = NDArray[np.float32]


def detect_speech(
    samples: Samples, options: VadOptions, longest: float = math.inf, advance: Callable[[float], None] | None = None
) -> Intervals:
    """(start, end) in seconds of every stretch of speech in ``samples`` (float32, 16 kHz), in order, none overlapping.

    No stretch, padding included, is longer than ``longest`` seconds. ``advance`` gets the fraction done.
    """
    longest = min(longest, options.max_speech_duration_s)
    load_silero().advance = advance
    found = get_speech_timestamps(samples, _make_silero_options(options, longest))
    times = [(stretch["start"] / SAMPLE_RATE, stretch["end"] / SAMPLE_RATE) for stretch in found]
    return [piece for start, end in times if end > start for piece in _split_evenly(start, end, longest)]


def _make_silero_options(options: VadOptions, longest: float) -> faster_whisper.vad.VadOptions:
    """Translate the options. faster-whisper cuts long speech in pauses, but too finely where padding fills most of it."""
    padding = 2 * options.speech_pad_ms / 1000
    return faster_whisper.vad.VadOptions(
        threshold=options.threshold,
        min_speech_duration_ms=options.min_speech_duration_ms,
        max_speech_duration_s=longest if padding <= longest / 2 else math.inf,
        min_silence_duration_ms=options.min_silence_duration_ms,
        speech_pad_ms=options.speech_pad_ms,
    )


def _split_evenly(start: float, end: float, longest: float) -> Intervals:
    """Equal pieces of at most ``longest`` seconds."""
    count = max(1, math.ceil((end - start) / longest - 1e-9))
    times = [start + (end - start) * number / count for number in range(count)] + [end]
    return list(itertools.pairwise(times))


class Silero:
    """faster-whisper's Silero, a minute of sound at a time; as a whole an hour takes three copies and tells nothing."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.advance: Callable[[float], None] | None = None

    def __call__(self, samples: Samples) -> Probabilities:
        """How probable speech is in each window of 32 ms; ``samples`` fill whole windows."""
        return np.concatenate(list(self._run_blocks(samples)))

    def _run_blocks(self, samples: Samples) -> Iterator[Probabilities]:
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        before = np.zeros(CONTEXT, np.float32)
        for start in range(0, len(samples), BLOCK):
            windows = samples[start : start + BLOCK].reshape(-1, WINDOW)
            contexts = np.concatenate([before[None], windows[:-1, -CONTEXT:]])
            given = {"input": np.concatenate([contexts, windows], 1), "h": hidden, "c": cell}
            heard, hidden, cell = self._session.run(None, given)
            before = windows[-1, -CONTEXT:]
            yield heard.reshape(-1)
            if self.advance is not None:
                self.advance(min(1.0, (start + BLOCK) / len(samples)))


whole = faster_whisper.vad.get_vad_model


@cache
def load_silero() -> Silero:
    """Silero of faster-whisper's wheel: two megabytes, loaded once."""
    return Silero(whole().session)


patches.replace_silero(load_silero)
