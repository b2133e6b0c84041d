"""Turn a voice into a vector: the network of the ``open`` diarization model.

pyannote.audio loads this class by its name, which is stored in the file with the weights.
"""

from __future__ import annotations

from typing import Any

import torch
from pyannote.audio.core.model import Model
from pyannote.audio.core.task import Problem, Resolution, Specifications
from torch import nn
from torch.nn import functional
from torchaudio.transforms import MelSpectrogram

SAMPLE_RATE = 16000
FFT, HOP, BANDS = 400, 160, 40  # 25 ms, 10 ms
WINDOW, STEP = 160, 80  # frames
SHORTEST = WINDOW * HOP - 1  # samples of one window
HIDDEN, LAYERS, DIMENSION = 256, 3, 256
QUIETEST = 10 ** (-30 / 20)  # root mean square of -30 dBFS, to which quieter speech is amplified


class VoiceEncoder(Model):
    """A speaker encoder trained with the GE2E loss (Wan et al. 2018, https://arxiv.org/abs/1710.10467).

    Its layers are those of Resemblyzer 0.1.4, so that it can take that package's weights.
    """

    def __init__(self, sample_rate: int = SAMPLE_RATE, num_channels: int = 1, task: Any = None) -> None:
        super().__init__(sample_rate=sample_rate, num_channels=num_channels, task=task)
        self.mel = MelSpectrogram(
            sample_rate, n_fft=FFT, hop_length=HOP, n_mels=BANDS, norm="slaney", mel_scale="slaney", pad_mode="constant"
        )
        self.lstm = nn.LSTM(BANDS, HIDDEN, LAYERS, batch_first=True)
        self.linear = nn.Linear(HIDDEN, DIMENSION)
        self.specifications = Specifications(
            problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW * HOP / sample_rate
        )

    @property
    def dimension(self) -> int:
        """The number of values in an embedding."""
        return DIMENSION

    def forward(self, waveforms: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:  # type: ignore[override]
        """Return an embedding of length 1 for each waveform, (batch, dimension).

        ``waveforms``: (batch, 1, samples), at 16 kHz. ``weights``: (batch, frames), of any number of frames; only samples
        under a weight above 0.5 are heard. An embedding is NaN, which pyannote.audio leaves out, if nothing can be heard.
        """
        sounds = list(waveforms[:, 0])
        if weights is not None:
            masks = functional.interpolate(weights[:, None], size=waveforms.shape[2], mode="nearest")[:, 0] > 0.5
            sounds = [sound[mask] for sound, mask in zip(sounds, masks, strict=True)]
        embeddings = waveforms.new_full((len(sounds), DIMENSION), torch.nan)
        heard = [number for number, sound in enumerate(sounds) if sound.any()]
        if heard:
            windows = [self._cut(sounds[number]) for number in heard]
            counts = [len(of_one) for of_one in windows]
            voices = self.embed_windows(torch.cat(windows)).split(counts)
            means = torch.stack([voice.mean(0) for voice in voices])
            embeddings[heard] = means / means.norm(dim=1, keepdim=True)
        return embeddings

    def embed_windows(self, windows: torch.Tensor) -> torch.Tensor:
        """Return an embedding of length 1 for each window of mel frames, (windows, dimension).

        ``windows``: (windows, frames, bands).
        """
        _, (hidden, _) = self.lstm(windows)
        return functional.normalize(torch.relu(self.linear(hidden[-1])))

    def _cut(self, sound: torch.Tensor) -> torch.Tensor:
        """Return overlapping windows of mel frames, (windows, frames, bands), of a sound (samples) that is not silent.

        A sound that is shorter than a window is repeated, which tells voices apart better than silence at its end.
        """
        level = sound.square().mean().sqrt()
        sound = sound * (QUIETEST / level).clamp(min=1.0)
        if len(sound) < SHORTEST:
            sound = sound.repeat(-(-SHORTEST // len(sound)))[:SHORTEST]
        mel = self.mel(sound)
        return mel.unfold(1, WINDOW, STEP).permute(1, 2, 0)
