"""Choose the windows to transcribe.

They end in the pauses of speech, as Silero VAD finds it. Unless only speech is asked for, what lies
between is decoded as well: a voice that Silero does not hear is not lost.
"""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from app.core.params import TranscriptionParams, VadOptions
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.stages.vad import Advance, Intervals, detect_speech

FRAME = SAMPLE_RATE // 50  # 20 ms
SMOOTHING_FRAMES = 9
SHORTEST_SECONDS = 0.1
FAINTEST = 10 ** (-70 / 20)  # peak, of full scale: far below the noise of any microphone
# Short pauses matter here: they are where a window can end.
PAUSES = VadOptions(min_speech_duration_ms=0, min_silence_duration_ms=160, speech_pad_ms=0)
LEVEL_RATIO = 10.0  # 20 dB
VOICE_SECONDS = 1.0  # shorter sounds of another level are breaths and beginnings, not another voice
MARGIN_SECONDS = 0.4  # kept before and after speech: Silero misses soft beginnings and endings


class Window(NamedTuple):
    """A stretch of the recording that is decoded at once.

    Times are seconds; ``speech`` is whether Silero heard some.
    """

    start: float
    end: float
    speech: bool

    def cut(self, samples: Samples) -> Samples:
        """Return its samples, a view."""
        return samples[int(self.start * SAMPLE_RATE) : int(self.end * SAMPLE_RATE)]


def choose_windows(samples: Samples, params: TranscriptionParams, advance: Advance | None = None) -> list[Window]:
    """List the windows to transcribe, in order.

    Silent windows are left out. ``samples`` are float32 at 16 kHz, shape (samples,). ``advance`` is called again and again
    while speech is found, with the fraction done.
    """
    longest = float(params.chunk_length)
    if params.vad_filter:
        windows = [Window(start, end, True) for start, end in group_speech(samples, params, longest, advance)]
    else:
        windows = follow_speech(samples, longest, advance)
    return drop_silent(windows, samples)


def drop_silent(windows: list[Window], samples: Samples) -> list[Window]:
    return [window for window in windows if _is_audible(window.cut(samples))]


def follow_speech(samples: Samples, longest: float, advance: Advance | None = None) -> list[Window]:
    """Cover the recording with windows of at most ``longest`` seconds.

    Those with speech end in its pauses; long pauses between them have windows of their own.
    """
    end = len(samples) / SAMPLE_RATE
    margin = min(MARGIN_SECONDS, longest / 8)
    speech = detect_speech(samples, PAUSES, longest - 2 * margin, advance)
    groups = _group(samples, speech, longest - 2 * margin)
    windows: list[Window] = []
    for number, (first, last) in enumerate(groups):
        before = (first - groups[number - 1][1]) / 2 if number else first
        after = (groups[number + 1][0] - last) / 2 if number + 1 < len(groups) else end - last
        window = Window(first - min(margin, before), last + min(margin, after), True)
        windows += [*_fill(samples, windows[-1].end if windows else 0.0, window.start, longest), window]
    return windows + _fill(samples, windows[-1].end if windows else 0.0, end, longest)


def _fill(samples: Samples, start: float, end: float, longest: float) -> list[Window]:
    """Cover a long pause."""
    if end - start < SHORTEST_SECONDS:
        return []
    pause = samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    return [Window(start + first, start + last, False) for first, last in cut_at_quiet(pause, longest)]


def _group(samples: Samples, speech: Intervals, longest: float) -> Intervals:
    """Join speech to stretches that are as long as possible, and not longer than ``longest`` seconds.

    The more context a window has, the better it is understood. A much quieter voice has a window of its own, since
    beside a loud one Whisper does not hear it.
    """
    groups: Intervals = []
    loudest = 0.0
    for start, end in speech:
        level = _measure_level(samples[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)])
        alike = loudest / LEVEL_RATIO <= level <= loudest * LEVEL_RATIO or end - start < VOICE_SECONDS
        if groups and end - groups[-1][0] <= longest and alike:
            groups[-1] = (groups[-1][0], end)
            loudest = max(loudest, level)
        else:
            groups.append((start, end))
            loudest = level
    return groups


def _measure_level(piece: Samples) -> float:
    """Effective value, of full scale."""
    return float(np.sqrt(np.mean(np.square(piece)))) if len(piece) else 0.0


def cut_at_quiet(samples: Samples, longest: float) -> Intervals:
    """Cut the recording into windows of at most ``longest`` seconds.

    Each cut is at the quietest frame of the last third of the longest possible window.
    """
    frames = len(samples) // FRAME
    most = int(longest * SAMPLE_RATE) // FRAME
    energy = _energy(samples, frames)
    starts = [0]
    while frames - starts[-1] > most:
        earliest = starts[-1] + max(1, 2 * most // 3)
        starts.append(earliest + int(np.argmin(energy[earliest : starts[-1] + most])))
    times = [start * FRAME / SAMPLE_RATE for start in starts] + [len(samples) / SAMPLE_RATE]
    return [(start, min(end, start + longest)) for start, end in itertools.pairwise(times)]


def group_speech(samples: Samples, options: VadOptions, longest: float, advance: Advance | None = None) -> Intervals:
    """Group speech into windows of at most ``longest`` seconds.

    Silero VAD finds the speech; times are those of the recording.
    """
    return _group(samples, detect_speech(samples, options, longest, advance), longest)


def _is_audible(piece: Samples) -> bool:
    """Whether a window is audible; Whisper invents words for silence."""
    # max and -min, as abs() would copy the samples
    return len(piece) >= SHORTEST_SECONDS * SAMPLE_RATE and bool(max(np.max(piece), -np.min(piece)) > FAINTEST)


def _energy(samples: Samples, frames: int) -> Any:
    """Smoothed energy: the mean square of each 20 ms frame, averaged over 180 ms.

    Without smoothing, cuts would fall into short gaps within a word instead of pauses between words.
    """
    framed = samples[: frames * FRAME].reshape(frames, FRAME)
    energy = np.einsum("ij,ij->i", framed, framed) / FRAME
    return np.convolve(energy, np.ones(SMOOTHING_FRAMES) / SMOOTHING_FRAMES, mode="same") if frames else energy
