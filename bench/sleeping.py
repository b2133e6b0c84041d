"""A device process whose tasks sleep: they need a slot and no core, so that a few cores serve several nodes."""

from __future__ import annotations

import time
from multiprocessing.connection import Connection
from typing import Any

from bench.results import RESULT
from workers.device.main import die_with_parent
from workers.device.messenger import Channel, Messenger
from workers.device.protocol import Job, Outcome, Progress, Ready, Resident, Said, Slot, Warm
from workers.device.run import REPORT_SECONDS

SECONDS = 1.0  # of a task
RECEIVE_SECONDS = 1.0
FACTS = {"audio_duration": 60.0}


def serve(connection: Connection, slot: Slot, _settings: object, supervisor: int, _preload: bool) -> None:
    """Like workers.device.main.serve."""
    die_with_parent(supervisor)
    serve_slot(Messenger(connection), slot)


def serve_slot(channel: Channel, *_: Any) -> None:
    """Like workers.device.main.serve_slot, for one task at a time."""
    channel.send(Ready())
    channel.send(Warm())
    while True:
        try:
            command = channel.receive(RECEIVE_SECONDS)
        except EOFError:
            return
        if isinstance(command, Job):
            _sleep(channel, command)


def _sleep(channel: Channel, job: Job[Any]) -> None:
    """Sleep for ``SECONDS``, and say as much meanwhile as a real task does."""
    begun = time.monotonic()
    reports = round(SECONDS / REPORT_SECONDS)
    for number in range(1, reports + 1):
        channel.send(Said(job.key, Progress("transcribe", (number - 1) / reports, FACTS)))
        time.sleep(max(0.0, begun + number * REPORT_SECONDS - time.monotonic()))
    channel.send(Resident(100))
    outcome = Outcome("json", RESULT, [], time.monotonic() - begun, FACTS, stages={"transcribe": SECONDS})
    channel.send(Said(job.key, outcome))
