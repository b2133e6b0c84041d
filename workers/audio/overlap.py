"""Cut audio into overlapping windows, and crossfade the processed windows together again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def split_windows(blocks: Iterable[Sound], length: int, overlap: int) -> Iterator[tuple[Sound, bool]]:
    """Yield ``(window, is_last)``, each of ``length`` samples and overlapping the one before by ``overlap``.

    The last window may be shorter. ``blocks`` and windows have shape (channels, samples).
    """
    pending: list[Sound] = []
    held = 0
    for block in blocks:
        pending.append(block)
        held += block.shape[1]
        while held > length:  # only when more than a window is there: otherwise this could be the last one
            whole = np.concatenate(pending, axis=1)
            yield whole[:, :length], False
            pending = [whole[:, length - overlap :]]
            held -= length - overlap
    if pending:
        yield np.concatenate(pending, axis=1), True


def join_windows(parts: Iterable[tuple[Sound, bool]], overlap: int) -> Iterator[Sound]:
    """Join the parts, crossfading each into the next over their ``overlap`` common samples.

    Parts have shape (..., samples); the output is as long as the input of ``windows``.
    """
    # + 0.5: the fade-in is the mirror image of the fade-out, and both add up to 1
    rising = (np.arange(overlap, dtype=np.float32) + 0.5) / max(1, overlap)
    ending: Sound | None = None
    for part, last in parts:
        if ending is not None:
            part[..., :overlap] = part[..., :overlap] * rising + ending * (1 - rising)
        if last:
            yield part
        else:
            ending = part[..., part.shape[-1] - overlap :].copy()  # a view would keep the whole part in memory
            yield part[..., : part.shape[-1] - overlap]
