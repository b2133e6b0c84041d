"""The embedding network, an x-vector (Snyder et al. 2018), and its outputs for a pool of speakers."""

import os
from collections.abc import Callable

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # read by pyannote.audio at import

import numpy as np
import torch
from crops import Pool, batch
from pyannote.audio.models.embedding import XVectorMFCC
from torch.nn import functional
from voices import RATE

DIMENSION = 64
BATCH = 60
LEAST_VARIANCE = 1e-6  # the gradient of the root is infinite for a constant channel
FEATURES = {
    "n_mfcc": 40,
    "dct_type": 2,
    "norm": "ortho",
    "log_mels": False,
    "melkwargs": {"n_fft": 512, "win_length": 400, "hop_length": 320, "n_mels": 40},
}


def network() -> XVectorMFCC:
    return XVectorMFCC(sample_rate=RATE, num_channels=1, mfcc=FEATURES, dimension=DIMENSION)


def embedded(model: XVectorMFCC, sound: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return model.embedding(pooled(model, sound, mask))


def pooled(model: XVectorMFCC, sound: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """As the model's own `forward` up to its last layer, but the convolutions in bfloat16, which halves the time."""
    features = model.mfcc(sound[:, None]).squeeze(1)
    with torch.autocast("cpu", torch.bfloat16):
        for layer in model.tdnns:
            features = layer(features)
    features = features.float()
    mask = functional.interpolate(mask[:, None], size=features.shape[2], mode="nearest")
    spoken = mask.sum(2)
    mean = (features * mask).sum(2) / spoken
    variance = ((features - mean[:, :, None]).square() * mask).sum(2) / (spoken - 1)
    return torch.cat([mean, (variance + LEAST_VARIANCE).sqrt()], 1)


def in_order(
    layer: Callable[..., torch.Tensor],
    model: XVectorMFCC,
    pool: Pool,
    everyone: list[np.ndarray],
    rng: np.random.Generator,
) -> np.ndarray:
    """The output of `layer` for a window of each speaker, in the order of the pool."""
    found = np.concatenate([layer(model, *batch(pool, who, rng)).numpy() for who in everyone])
    return found[np.argsort(np.concatenate(everyone))]
