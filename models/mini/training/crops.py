"""Training windows of two seconds of a speaker, with other speakers, channels, rooms, noise and any level."""

import numpy as np
import torch
from voices import RATE

WINDOW = 2 * RATE
MASK_HOP = 160

Pool = list[list[np.ndarray]]  # by speaker, what each says in several takes


def batch(
    pool: Pool, who: np.ndarray, rng: np.random.Generator, harsh: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a disturbed window `(B, WINDOW)` for each of `who`, and the mask of their speech `(B, frames)`."""
    windows = [window(pool[speaker], pool[other], rng) for speaker, other in zip(who, np.roll(who, 1), strict=True)]
    sound, mask = (torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))
    return disturbed(sound, rng, harsh), mask


def window(own: list[np.ndarray], others: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A speaker's words for 0.6 to 2 s, somewhere in WINDOW; silence or another speaker before and after."""
    sound, mask = np.zeros(WINDOW, np.float32), np.zeros(WINDOW // MASK_HOP, np.float32)
    length = int(rng.uniform(0.6, 2.0) * RATE)
    start = int(rng.integers(0, WINDOW - length + 1))
    if rng.random() < 0.5:
        _fill(sound, others, rng.uniform(0.3, 1.0), rng)
    sound[start : start + length] = 0
    _fill(sound[start : start + length], own, 1.0, rng)
    mask[start // MASK_HOP : (start + length) // MASK_HOP] = 1
    return sound, mask


def _fill(place: np.ndarray, said: list[np.ndarray], gain: float, rng: np.random.Generator) -> None:
    """Fill `place` with pieces of 0.3 to 1 s of several takes, which differ in pitch and tempo."""
    at = 0
    while at < len(place):
        take, length = said[rng.integers(len(said))], int(rng.uniform(0.3, 1.0) * RATE)
        skipped = int(rng.integers(0, max(1, len(take) - length)))
        piece = take[skipped : skipped + min(length, len(place) - at)]
        place[at : at + len(piece)] = piece * (gain / 32768)
        at += len(piece) + int(rng.uniform(0.0, 0.15) * RATE)


def disturbed(sound: torch.Tensor, rng: np.random.Generator, harsh: float) -> torch.Tensor:
    """Add a channel, sometimes a telephone or a room, noise and a random level; weaker with lower `harsh`.

    At 1 the channel bends the spectrum by 3 dB and the noise lies 5 to 45 dB below.
    """
    count, length = sound.shape
    frequencies = np.fft.rfftfreq(2 * length, 1 / RATE)
    spectrum = torch.fft.rfft(sound, 2 * length)
    curves = np.stack([_channel(frequencies, rng, harsh) for _ in range(count)])
    spectrum *= torch.from_numpy(curves.astype(np.float32))
    rooms = np.stack([_room(length // 2, rng, harsh) for _ in range(count)])
    spectrum *= torch.fft.rfft(torch.from_numpy(rooms), 2 * length)
    clean = torch.fft.irfft(spectrum, 2 * length)[:, :length]
    tilt = torch.from_numpy((np.maximum(frequencies, 50)[None] / 1000) ** rng.uniform(-1, 0.3, (count, 1))).float()
    noise = torch.fft.irfft(torch.fft.rfft(torch.randn(count, length), 2 * length) * tilt, 2 * length)[:, :length]
    level = clean.std(1, keepdim=True) / noise.std(1, keepdim=True).clamp(min=1e-6)
    ratio = torch.from_numpy(10 ** (-rng.uniform(45 - 40 * harsh, 45, (count, 1)) / 20)).float()
    mixed = clean + noise * level * ratio * torch.from_numpy(rng.random((count, 1)) < 0.7)
    gain = torch.from_numpy(10 ** (rng.uniform(-30, 0, (count, 1)) / 20)).float()
    return mixed / mixed.abs().amax(1, keepdim=True).clamp(min=1e-6) * gain


def _channel(frequencies: np.ndarray, rng: np.random.Generator, harsh: float) -> np.ndarray:
    """A smooth random curve within about 6 dB; one in five also cut to the band of a telephone."""
    knots = np.geomspace(60, RATE / 2, 8)
    decibels = np.interp(np.log(np.maximum(frequencies, 60)), np.log(knots), rng.normal(0, 3 * harsh, 8))
    if rng.random() < 0.2 * harsh:
        decibels = decibels - 40 * ((frequencies < rng.uniform(150, 350)) | (frequencies > rng.uniform(3300, 3900)))
    return 10 ** (decibels / 20)


def _room(length: int, rng: np.random.Generator, harsh: float) -> np.ndarray:
    """An impulse response: none, or an echo that decays in 0.1 to 0.5 s."""
    response = np.zeros(length, np.float32)
    if rng.random() < 0.3 * harsh:
        decay = np.exp(-6.9 * np.arange(length) / RATE / rng.uniform(0.1, 0.5))
        response += (rng.standard_normal(length) * decay * rng.uniform(0.01, 0.06)).astype(np.float32)
    response[0] = 1
    return response
