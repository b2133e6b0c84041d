"""Detect speech with Silero.

Both /vad and the vad_filter of a transcription use it; nothing else calls Silero.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from functools import cache
from typing import Any

import faster_whisper.vad
import numpy as np
from faster_whisper.vad import get_speech_timestamps
from numpy.typing import NDArray

from app.core.params import VadOptions
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.device import patches

WINDOW = 512  # samples per probability: 32 ms
CONTEXT = 64  # samples before a window that are part of its input
BLOCK = 2048 * WINDOW  # samples per model call: about a minute

Intervals = list[tuple[float, float]]
Probabilities = NDArray[np.float32]
Advance = Callable[[float], None]  # called with the fraction done

# of the detection that this thread runs: faster-whisper has no parameter for it
_advance: ContextVar[Callable[[float], None] | None] = ContextVar("advance", default=None)


def detect_speech(
    samples: Samples, options: VadOptions, longest: float = math.inf, advance: Advance | None = None
) -> Intervals:
    """Detect speech in ``samples`` (float32, 16 kHz).

    Returns (start, end) in seconds, in order and without overlaps. Including padding, none is longer than ``longest``
    seconds. ``advance`` is called with the fraction done.
    """
    longest = min(longest, options.max_speech_duration_s)
    token = _advance.set(advance)
    try:
        found = get_speech_timestamps(samples, _make_silero_options(options, longest))
    finally:
        _advance.reset(token)
    times = [(stretch["start"] / SAMPLE_RATE, stretch["end"] / SAMPLE_RATE) for stretch in found]
    return [piece for start, end in times if end > start for piece in _split_evenly(start, end, longest)]


def _make_silero_options(options: VadOptions, longest: float) -> faster_whisper.vad.VadOptions:
    """Convert the options for faster-whisper.

    It splits long speech at pauses, but into too small pieces if padding is more than half of ``longest``.
    """
    padding = 2 * options.speech_pad_ms / 1000
    return faster_whisper.vad.VadOptions(
        threshold=options.threshold,
        min_speech_duration_ms=options.min_speech_duration_ms,
        max_speech_duration_s=longest if padding <= longest / 2 else math.inf,
        min_silence_duration_ms=options.min_silence_duration_ms,
        speech_pad_ms=options.speech_pad_ms,
    )


def _split_evenly(start: float, end: float, longest: float) -> Intervals:
    """Split an interval equally, into ``longest`` seconds at most."""
    # 1e-9: a rounding error must not add a piece
    count = max(1, math.ceil((end - start) / longest - 1e-9))
    times = [start + (end - start) * number / count for number in range(count)] + [end]
    return list(itertools.pairwise(times))


class Silero:
    """faster-whisper's Silero model, run in blocks.

    In one call, an hour of audio would take three copies, and report no progress. Several threads may use it at once.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __call__(self, samples: Samples) -> Probabilities:
        """Return the probability of speech per window of 32 ms.

        The length of ``samples`` is a multiple of ``WINDOW``.
        """
        return np.concatenate(list(self._run_blocks(samples)))

    def _run_blocks(self, samples: Samples) -> Iterator[Probabilities]:
        # the state that Silero carries from window to window
        hidden = cell = np.zeros((1, 1, 128), np.float32)
        before = np.zeros(CONTEXT, np.float32)
        advance = _advance.get()
        for start in range(0, len(samples), BLOCK):
            windows = samples[start : start + BLOCK].reshape(-1, WINDOW)
            contexts = np.concatenate([before[None], windows[:-1, -CONTEXT:]])
            given = {"input": np.concatenate([contexts, windows], 1), "h": hidden, "c": cell}
            heard, hidden, cell = self._session.run(None, given)
            before = windows[-1, -CONTEXT:]
            yield heard.reshape(-1)
            if advance is not None:
                advance(min(1.0, (start + BLOCK) / len(samples)))


whole = faster_whisper.vad.get_vad_model


@cache
def load_silero() -> Silero:
    """Load the Silero model of faster-whisper's wheel, once."""
    return Silero(whole().session)


patches.replace_silero(load_silero)
