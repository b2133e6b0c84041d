"""Measure a mini demucs on held-out conversations over new music: `python evaluate_demucs.py FOLDER` (3 minutes)."""

import sys
from pathlib import Path

import numpy as np
import stems
import torch
from demucs.api import Separator
from train_demucs import NAME
from voices import RATE

RECORDINGS, SECONDS = 24, 12
LEAST = 1e-20


def figures(folder: Path, recordings: int = RECORDINGS) -> dict[str, float]:
    """Means in dB over mixtures of -10 to +10 dB, and figures for speech, music and silence alone."""
    separator = Separator(NAME, repo=Path(folder), device="cpu", shifts=0)
    scores = np.array([_scores(separator, stems.held_out(seed, SECONDS)) for seed in range(recordings)])
    mean, worst = scores.mean(0), scores.min(0)
    found = {
        "SI-SDR of vocals, gain over the mixture": mean[0],
        "SI-SDR of vocals, gain, voices trained on": scores[::2, 0].mean(),
        "SI-SDR of vocals, gain, voices never heard": scores[1::2, 0].mean(),
        "SI-SDR of vocals, least gain": worst[0],
        "SI-SDR of other, gain over the mixture": mean[1],
        "SI-SDR of other, least gain": worst[1],
        "mixture minus sum of stems, mean": mean[2],
        "mixture minus sum of stems, highest": scores[:, 2].max(),
    }
    return {name: float(value) for name, value in (found | _alone(separator)).items()}


def separated(separator: Separator, mixture: np.ndarray) -> dict[str, np.ndarray]:
    parts = separator.separate_tensor(torch.from_numpy(mixture.astype(np.float32)))[1]
    return {name: part.numpy() for name, part in parts.items()}


def si_sdr(estimate: np.ndarray, reference: np.ndarray) -> float:
    """Scale-invariant signal-to-distortion ratio in dB, both channels as one.

    After Le Roux et al., "SDR - half-baked or well done?" (2019).
    """
    target = reference * (estimate * reference).sum() / (reference**2).sum()
    return level(target, estimate - target)


def level(part: np.ndarray, whole: np.ndarray) -> float:
    """dB of one signal's energy over another's."""
    return float(10 * np.log10(((part**2).sum() + LEAST) / ((whole**2).sum() + LEAST)))


def _scores(separator: Separator, known: np.ndarray) -> tuple[float, float, float]:
    mixture, (other, vocals) = known.sum(0), known
    found = separated(separator, mixture)
    gain_vocals = si_sdr(found["vocals"], vocals) - si_sdr(mixture, vocals)
    gain_other = si_sdr(found["other"], other) - si_sdr(mixture, other)
    return gain_vocals, gain_other, level(mixture - found["vocals"] - found["other"], mixture)


def _alone(separator: Separator) -> dict[str, float]:
    """The energy in the stem that should be empty, and the part missing from the other."""
    other, vocals = stems.held_out(RECORDINGS, SECONDS)
    speech, music = separated(separator, vocals), separated(separator, other)
    silence = separated(separator, np.zeros((2, RATE * SECONDS)))
    return {
        "speech alone: other against the mixture": level(speech["other"], vocals),
        "speech alone: SI-SDR of vocals": si_sdr(speech["vocals"], vocals),
        "music alone: vocals against the mixture": level(music["vocals"], other),
        "silence: highest sample of any stem": max(float(abs(part).max()) for part in silence.values()),
    }


if __name__ == "__main__":
    for name, value in figures(Path(sys.argv[1])).items():
        print(f"{name:48s} {value:8.2f}")
