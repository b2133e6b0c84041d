"""Run the network of an alignment model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.audio.decode import SAMPLE_RATE, Samples

SHORTEST = 400  # samples; the first convolutions of wav2vec 2.0 need as many

Emissions = NDArray[np.float32]


def compute_emissions(samples: Samples, span: tuple[float, float], model: Any, kind: str, device: str) -> Emissions:
    """Return the log probability of each label in each frame of ``span`` (seconds), shape (frames, labels).

    ``kind`` tells how to call ``model``: "torchaudio" or "huggingface", as in whisperx's metadata.
    """
    import torch  # imported here: it takes seconds, and the model has needed it anyway

    piece = torch.from_numpy(samples[int(span[0] * SAMPLE_RATE) : int(span[1] * SAMPLE_RATE)])
    length = len(piece)
    if length < SHORTEST:
        piece = torch.nn.functional.pad(piece, (0, SHORTEST - length))
    batch = piece[None].to(device)
    with torch.inference_mode():
        if kind == "torchaudio":
            lengths = torch.tensor([length], device=device) if length < SHORTEST else None
            logits, _ = model(batch, lengths=lengths)
        else:
            logits = model(batch).logits
        emissions: Emissions = torch.log_softmax(logits, dim=-1)[0].cpu().numpy()
    return emissions
