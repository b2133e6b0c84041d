"""Run the network of an alignment model, over long spans in windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.audio.decode import SAMPLE_RATE, Samples

SHORTEST = 400  # samples; the first convolutions of wav2vec 2.0 need as many

LONGEST_SECONDS = 60.0  # the memory of the network grows with the square of the length
WINDOW_SECONDS = 30.0
CONTEXT_SECONDS = 2.0  # on both sides of a window; what the network hears there is not used

Emissions = NDArray[np.float32]
Span = tuple[float, float]  # seconds


def compute_in_windows(span: Span, compute: Callable[[Span], Emissions]) -> Emissions:
    """Return the emissions of ``span``, which ``compute`` returns for shorter ones.

    The frames of a window are as long as those of the others, as long as the windows are; the last one may differ by less
    than a frame.
    """
    if span[1] - span[0] <= LONGEST_SECONDS:
        return compute(span)
    count = round((span[1] - span[0]) / WINDOW_SECONDS)
    bounds = [float(bound) for bound in np.linspace(*span, count + 1)]
    pieces: list[Emissions] = []
    for start, end in zip(bounds, bounds[1:], strict=False):
        left, right = max(span[0], start - CONTEXT_SECONDS), min(span[1], end + CONTEXT_SECONDS)
        heard = compute((left, right))
        first, last = (round(len(heard) * (moment - left) / (right - left)) for moment in (start, end))
        pieces.append(heard[first:last])
    return np.concatenate(pieces)


def compute_emissions(samples: Samples, span: Span, model: Any, kind: str, device: str) -> Emissions:
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
