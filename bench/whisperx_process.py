"""Stock whisperX in a fresh process: transcription with its pyannote VAD, then alignment."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.service import MINI
from workers.device.environment import prepare_environment
from workers.device.main import die_with_parent
from workers.device.protocol import Slot

BATCH_SIZE = 8
GOODBYE_SECONDS = 5.0

Timed = tuple[float, float, list[dict[str, Any]]]


@dataclass(frozen=True)
class WhisperX:
    """The parent's end of the pipe to the process."""

    connection: Connection

    def transcribe(self, recording: Path) -> Timed:
        """Return the seconds from the file to the aligned segments, those of processor time, and the segments.

        Raises EOFError if the process has died.
        """
        self.connection.send(recording)
        answer: Timed = self.connection.recv()
        return answer


@contextlib.contextmanager
def process(base: Path, slot: Slot) -> Iterator[WhisperX]:
    """Start the process with the weights in ``base`` and the threads of ``slot``."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_serve, args=(theirs, base, slot, os.getpid()), daemon=True)
    child.start()
    theirs.close()
    try:
        yield WhisperX(ours)
    finally:
        ours.close()  # the process exits when its pipe closes, unless it is busy
        child.join(GOODBYE_SECONDS)
        child.kill()
        child.join()


def load_whisper(base: Path, threads: int) -> Any:
    """Load the weights in ``base`` as whisperX does; its VAD model is part of its wheel."""
    import whisperx

    return whisperx.load_model(
        str(base), "cpu", compute_type="int8", language="en", vad_method="pyannote", threads=threads
    )


def _serve(connection: Connection, base: Path, slot: Slot, parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    prepare_environment(slot)
    import torch
    import whisperx
    import whisperx.alignment

    from tests.workers.alignment.stock import load_for_nltk

    torch.set_num_threads(slot.threads)  # as whisperX's command does with --threads
    whisperx.alignment.nltk_load = load_for_nltk  # its own sentence ends would be downloaded
    model = load_whisper(base, slot.threads)
    aligner, metadata = whisperx.load_align_model("en", "cpu", model_name=str(MINI / "align"))
    while True:
        try:
            recording: Path = connection.recv()
        except EOFError:
            return
        started, busy = time.perf_counter(), time.process_time()
        samples = whisperx.load_audio(str(recording))
        found = model.transcribe(samples, batch_size=BATCH_SIZE)["segments"]
        segments = whisperx.align(found, aligner, metadata, samples, "cpu")["segments"]
        connection.send((time.perf_counter() - started, time.process_time() - busy, segments))
