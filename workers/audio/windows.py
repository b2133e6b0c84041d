"""Choose the windows to transcribe.

They are cut at quiet places, or around the speech that Silero VAD finds.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from app.core.params import TranscriptionParams, VadOptions
from workers.audio.decode import SAMPLE_RATE, Samples
from workers.stages.vad import detect_speech

Windows = list[tuple[float, float]]

FRAME = SAMPLE_RATE // 50  # 20 ms
SMOOTHING_FRAMES = 9
SHORTEST_SECONDS = 0.1
FAINTEST = 10 ** (-70 / 20)  # peak, of full scale: far below the noise of any microphone


def choose_windows(samples: Samples, params: TranscriptionParams) -> Windows:
    """List the (start, end) in seconds of the windows to transcribe.

    Silent windows are left out. ``samples`` are float32 at 16 kHz, shape (samples,).
    """
    longest = float(params.chunk_length)
    windows = group_speech(samples, params, longest) if params.vad_filter else cut_at_quiet(samples, longest)
    return [window for window in windows if _is_audible(samples, window)]


def cut_at_quiet(samples: Samples, longest: float) -> Windows:
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


def group_speech(samples: Samples, options: VadOptions, longest: float) -> Windows:
    """Group speech into windows of at most ``longest`` seconds.

    Silero VAD finds the speech; times are those of the recording.
    """
    windows: Windows = []
    for start, end in detect_speech(samples, options, longest):
        if windows and end - windows[-1][0] <= longest:
            windows[-1] = (windows[-1][0], end)
        else:
            windows.append((start, end))
    return windows


def _is_audible(samples: Samples, window: tuple[float, float]) -> bool:
    """Whether a window is audible; Whisper invents words for silence."""
    piece = samples[int(window[0] * SAMPLE_RATE) : int(window[1] * SAMPLE_RATE)]
    # max and -min, as abs() would copy the samples
    return len(piece) >= SHORTEST_SECONDS * SAMPLE_RATE and bool(max(np.max(piece), -np.min(piece)) > FAINTEST)


def _energy(samples: Samples, frames: int) -> Any:
    """Smoothed energy: the mean square of each 20 ms frame, averaged over 180 ms.

    Without smoothing, cuts would fall into short gaps within a word instead of pauses between words.
    """
    framed = samples[: frames * FRAME].reshape(frames, FRAME)
    energy = np.einsum("ij,ij->i", framed, framed) / FRAME
    return np.convolve(energy, np.ones(SMOOTHING_FRAMES) / SMOOTHING_FRAMES, mode="same") if frames else energy
