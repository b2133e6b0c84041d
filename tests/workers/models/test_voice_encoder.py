"""The network of the open diarization model hears what is under the mask, at any length and level."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from workers.models.voice_encoder import BANDS, DIMENSION, FFT, HIDDEN, HOP, LAYERS, SAMPLE_RATE, VoiceEncoder

SECOND = SAMPLE_RATE
CHUNK = 5 * SECOND
FRAMES = 293  # of the segmentation in such a chunk
LOUD = 0.1


@pytest.fixture(scope="module")
def encoder() -> VoiceEncoder:
    torch.manual_seed(0)
    return VoiceEncoder().eval()


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


def noise(samples: int, seed: int = 1, level: float = LOUD) -> torch.Tensor:
    """White noise, which becomes duller over time, as (1, 1, samples)."""
    sound = np.random.default_rng(seed).normal(0, level, samples).astype(np.float32)
    ramp = np.linspace(0, 0.9, samples, dtype=np.float32)
    sound[1:] += ramp[1:] * sound[:-1]
    return torch.from_numpy(sound)[None, None]


def mel(sound: np.ndarray) -> np.ndarray:
    """A mel spectrogram as librosa defines it (htk=False, norm="slaney", power=2, center=True), (frames, bands)."""
    padded = np.pad(sound, FFT // 2)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT) / FFT)
    starts = range(0, len(padded) - FFT + 1, HOP)
    power = np.array([abs(np.fft.rfft(window * padded[start : start + FFT])) ** 2 for start in starts])
    # linear below 1000 Hz, logarithmic above: Slaney, Auditory Toolbox, 1998
    step = np.log(6.4) / 27
    top = 15 + np.log(SAMPLE_RATE / 2 / 1000) / step
    mels = np.linspace(0, top, BANDS + 2)
    edges = np.where(mels < 15, mels * 200 / 3, 1000 * np.exp(step * (mels - 15)))
    bins = np.fft.rfftfreq(FFT, 1 / SAMPLE_RATE)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    filters: np.ndarray = np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])
    return power @ filters


def embed(windows: np.ndarray, encoder: VoiceEncoder) -> np.ndarray:
    """The network in double precision: the mean of the normalized last hidden states, (dimension,)."""
    weights = {name: value.double().numpy() for name, value in encoder.state_dict().items()}
    states = []
    for window in windows:
        heard = window
        for layer in range(LAYERS):
            inputs, recurrent = weights[f"lstm.weight_ih_l{layer}"], weights[f"lstm.weight_hh_l{layer}"]
            bias = weights[f"lstm.bias_ih_l{layer}"] + weights[f"lstm.bias_hh_l{layer}"]
            hidden, cell, outputs = np.zeros(HIDDEN), np.zeros(HIDDEN), []
            for frame in heard:
                gates = inputs @ frame + recurrent @ hidden + bias
                enter, forget, leave = (1 / (1 + np.exp(-gates[at * HIDDEN :][:HIDDEN])) for at in (0, 1, 3))
                cell = forget * cell + enter * np.tanh(gates[2 * HIDDEN : 3 * HIDDEN])
                hidden = leave * np.tanh(cell)
                outputs.append(hidden)
            heard = np.array(outputs)
        state = np.maximum(0, weights["linear.weight"] @ hidden + weights["linear.bias"])
        states.append(state / np.linalg.norm(state))
    mean: np.ndarray = np.mean(states, axis=0)
    return mean / np.linalg.norm(mean)


def test_embedding_is_that_of_the_published_arithmetic(encoder: VoiceEncoder) -> None:
    sound = noise(320 * HOP - 1)  # three windows
    frames = mel(sound[0, 0].double().numpy())
    assert len(frames) == 320
    wanted = embed(np.array([frames[start : start + 160] for start in (0, 80, 160)]), encoder)
    found = encoder(sound)[0].numpy()
    assert found.shape == (DIMENSION,) and np.allclose(found, wanted, atol=1e-5)


def test_only_samples_under_the_mask_are_heard(encoder: VoiceEncoder) -> None:
    sound = noise(FRAMES * 273)
    mask = torch.zeros(1, FRAMES)
    mask[0, 50:100] = mask[0, 200:290] = 1
    cut = torch.cat([sound[:, :, 50 * 273 : 100 * 273], sound[:, :, 200 * 273 : 290 * 273]], 2)
    assert torch.allclose(encoder(sound, weights=mask), encoder(cut), atol=1e-6)
    assert not torch.allclose(encoder(sound, weights=mask), encoder(sound), atol=1e-3)


def test_a_recording_in_a_batch_is_embedded_as_it_is_alone(encoder: VoiceEncoder) -> None:
    sounds = torch.cat([noise(CHUNK, seed) for seed in range(4)])
    masks = torch.ones(4, FRAMES)
    masks[1, 40:] = 0
    masks[2] = 0
    together = encoder(sounds, weights=masks)
    for number in range(4):
        alone = encoder(sounds[number][None], weights=masks[number][None])
        assert torch.allclose(together[number], alone[0], atol=1e-6, equal_nan=True)
    assert together.isnan().any(1).tolist() == [False, False, True, False]


def test_quiet_speech_is_amplified_and_loud_speech_is_not(encoder: VoiceEncoder) -> None:
    quiet, quieter, loud, louder = (encoder(noise(CHUNK, level=level)) for level in (0.01, 0.0001, 0.05, 0.2))
    assert torch.allclose(quiet, quieter, atol=1e-5)
    assert not torch.allclose(loud, louder, atol=1e-5)


@pytest.mark.parametrize("samples", [1, 2, 160, 201, 800, 25_598, 25_600, CHUNK])
def test_every_length_has_an_embedding_of_length_1(encoder: VoiceEncoder, samples: int) -> None:
    assert torch.allclose(encoder(noise(samples) + 0.01).norm(dim=1), torch.ones(1))


def test_sound_shorter_than_a_window_is_repeated(encoder: VoiceEncoder) -> None:
    short = noise(9000)
    assert torch.allclose(encoder(short), encoder(short.repeat(1, 1, 3)[:, :, :25_599]), atol=1e-6)


def test_silence_has_no_embedding(encoder: VoiceEncoder) -> None:
    silence = torch.zeros(2, 1, CHUNK)
    assert encoder(silence).isnan().all()
    assert encoder(silence, weights=torch.ones(2, FRAMES)).isnan().all()
    assert encoder(noise(CHUNK), weights=torch.zeros(1, FRAMES)).isnan().all()
