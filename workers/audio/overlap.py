"""Sound in windows of bounded length that overlap, and what was made of each window joined again without a seam."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

Sound = NDArray[np.float32]


def windows(blocks: Iterable[Sound], length: int, overlap: int) -> Iterator[tuple[Sound, bool]]:
    """``(window, is_last)``: ``length`` samples, ``overlap`` of them into the one before; the last is shorter.

    ``blocks`` and windows have shape (channels, samples).
    """
    pending: list[Sound] = []
    held = 0
    for block in blocks:
        pending.append(block)
        held += block.shape[1]
        while held > length:  # not before more has come: only then is this window not the last
            whole = np.concatenate(pending, axis=1)
            yield whole[:, :length], False
            pending = [whole[:, length - overlap :]]
            held -= length - overlap
    if pending:
        yield np.concatenate(pending, axis=1), True


def joined(parts: Iterable[tuple[Sound, bool]], overlap: int) -> Iterator[Sound]:
    """The parts one after the other, each faded into the next over the ``overlap`` samples that both cover.

    Parts have shape (..., samples); what is yielded is as long as what ``windows`` was given.
    """
    rising = (np.arange(overlap, dtype=np.float32) + 0.5) / max(1, overlap)
    ending: Sound | None = None
    for part, last in parts:
        if ending is not None:
            part[..., :overlap] = part[..., :overlap] * rising + ending * (1 - rising)
        if last:
            yield part
        else:
            ending = part[..., part.shape[-1] - overlap :].copy()
            yield part[..., : part.shape[-1] - overlap]
