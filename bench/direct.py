"""The baseline of the throughput benchmark: one warm process that only runs the pipeline."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from app.core.params import TranscriptionParams
from app.core.settings import Settings
from workers.device import slots
from workers.device.environment import prepare_environment
from workers.device.main import die_with_parent
from workers.device.protocol import Job, Slot
from workers.device.run import Run
from workers.models.cache import WarmModels, collect_garbage

GOODBYE_SECONDS = 5.0


@dataclass(frozen=True)
class Direct:
    """The parent's end of the pipe to the process."""

    connection: Connection

    def run(self, jobs: list[Job[TranscriptionParams]]) -> tuple[float, list[str]]:
        """Run ``jobs`` one after the other.

        Return the seconds taken and the results as JSON text.
        """
        self.connection.send(jobs)
        answer: tuple[float, list[str]] = self.connection.recv()
        return answer


@contextlib.contextmanager
def process(settings: Settings) -> Iterator[Direct]:
    """Start the process on the supervisor's first slot."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    slot = slots.list_slots(settings.workers)[0]
    child = context.Process(target=_serve, args=(theirs, slot, settings, os.getpid()), daemon=True)
    child.start()
    theirs.close()
    try:
        yield Direct(ours)
    finally:
        ours.close()  # the process exits when its pipe closes, unless it is busy
        child.join(GOODBYE_SECONDS)
        child.kill()
        child.join()


def _serve(connection: Connection, slot: Slot, settings: Settings, parent: int) -> None:
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent ends this process
    prepare_environment(slot)
    import torch

    from workers.pipelines import transcription

    if slot.threads:
        torch.set_num_threads(slot.threads)
    models = WarmModels(slot, settings)
    collect_garbage()  # as a device process does before it is ready
    while True:
        try:
            jobs: list[Job[TranscriptionParams]] = connection.recv()
        except EOFError:
            return
        started = time.perf_counter()
        results = [transcription.run(Run(job, slot, settings, models, _ignore_progress))[1] for job in jobs]
        connection.send((time.perf_counter() - started, results))


def _ignore_progress(progress: Any) -> None:
    """Discard progress reports."""
