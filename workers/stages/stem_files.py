"""The files that a separation writes: one for each stem, and its waveform."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SpeechError
from app.core.params import SeparationOptions
from app.core.storage.paths import stems_folder
from app.core.storage.removal import remove_stems
from app.core.storage.space import MEBIBYTE, has_space
from workers.audio import listening, media
from workers.audio.stems import StemWriter, open_stems
from workers.audio.waveform import Waveform
from workers.device.run import Run

BYTES_PER_SAMPLE = 2


class Stem:
    """A stem that is written to its file, and its waveform."""

    def __init__(self, writer: StemWriter, rate: int) -> None:
        self._writer = writer
        self.waveform = Waveform(rate)

    def write(self, sound: NDArray[np.float32]) -> None:
        """Append ``sound``, of shape (channels, samples)."""
        self._writer.write(sound)
        self.waveform.add(sound)


@contextlib.contextmanager
def open_files(
    run: Run[SeparationOptions], recording: media.Recording, separator: Any, names: Sequence[str]
) -> Iterator[dict[str, Stem]]:
    """Open the file of each stem, at the rate and with the channels of the model.

    When the block succeeds, the files are durable. Raises SpeechError insufficient_storage.
    """
    for claim_no in range(1, run.job.claim_no):  # files left by a crash of the machine
        remove_stems(stems_folder(run.settings.cache.path, run.job.uuid, claim_no))
    rate, channels = separator.samplerate, separator.audio_channels
    _check_space(run, (recording.declared or 0.0) * rate * channels * BYTES_PER_SAMPLE * len(names))
    with open_stems(locate_stems(run), names, run.params.stem_format, rate, channels) as writers:
        stems = {name: Stem(writer, rate) for name, writer in writers.items()}
        yield stems
    for name, stem in stems.items():
        listening.store_waveform(run, stem.waveform, name)


def locate_stems(run: Run[SeparationOptions]) -> Path:
    """Return the folder of the stems of this claim."""
    return stems_folder(run.settings.cache.path, run.job.uuid, run.job.claim_no)


def _check_space(run: Run[SeparationOptions], needed: float) -> None:
    if not has_space(run.settings.cache.path, run.settings.limits.min_free_mb * MEBIBYTE, needed):
        raise SpeechError("insufficient_storage", "Not enough disk space on the server for the stems; try again later.")
