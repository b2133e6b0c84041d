"""Store what a player needs beside the recording: waveforms, and a copy that every browser plays.

A task is not lost for them: if they cannot be written, it gets a warning.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from app.core.params import ListeningOptions, RecordingOptions
from app.core.storage.durable import replace_file
from app.core.storage.paths import SOURCE, copy_path, partial_file, waveform_path
from workers.audio.stems import StemWriter
from workers.audio.waveform import Waveform
from workers.device.run import Run

Sound = NDArray[np.float32]

RATE = 16_000
BIT_RATE = 48_000  # constant: players estimate positions in a file whose bit rate varies, and seek to wrong ones
PIECE_SECONDS = 60
FORMAT = "mp3"

log = logging.getLogger(__name__)


def store_waveform(run: Run[RecordingOptions], waveform: Waveform, sound: str = SOURCE) -> None:
    """Store the waveform of the recording, or of one stem."""
    path = waveform_path(run.settings.cache.path, run.job.uuid, sound)
    _store(run, path, "waveform", lambda partial: partial.write_text(waveform.write_json()))


def store_copy(run: Run[ListeningOptions], pieces: Iterable[Sound]) -> None:
    """Store the listening copy. ``pieces`` have the shape (1, samples), at 16 kHz. Raises StoppedError."""

    def encode(partial: Path) -> None:
        writer = StemWriter(partial, FORMAT, RATE, channels=1, bit_rate=BIT_RATE)
        try:
            for piece in pieces:
                run.share.check()
                writer.write(piece)
            writer.finish()
        except BaseException:
            with contextlib.suppress(av.error.FFmpegError):  # closing may fail as well; report the first error
                writer.close()
            raise

    _store(run, copy_path(run.settings.cache.path, run.job.uuid), "listening_copy", encode)


def cut_pieces(samples: Sound) -> Iterator[Sound]:
    """Cut samples at 16 kHz, of shape (samples,), into what ``store_copy`` takes."""
    for start in range(0, len(samples), PIECE_SECONDS * RATE):
        yield samples[None, start : start + PIECE_SECONDS * RATE]


def _store(run: Run[RecordingOptions], path: Path, what: str, write: Callable[[Path], object]) -> None:
    partial = partial_file(path, run.job.claim_no)
    try:
        with replace_file(path, partial):
            write(partial)
    except FileNotFoundError:  # the folder of the task: it was deleted, so its client gets no warning
        log.info("task %s: %s is not stored, as the task was deleted", run.job.uuid, path.name)
    except (OSError, av.error.FFmpegError) as error:
        log.warning("task %s: %s cannot be stored: %s", run.job.uuid, path.name, error)
        run.warn(f"{what}: the server could not store it; see the server log")
