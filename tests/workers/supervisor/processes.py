"""Functions that a device process runs in tests instead of workers.device.main.serve."""

from __future__ import annotations

import os
import signal
import struct
import time
from multiprocessing.connection import Connection
from typing import Any

from workers.device.protocol import Job, Outcome, Progress, Ready, Said, Warm


def ignore_end(connection: Connection, *_: Any) -> None:
    """Report ready, then ignore that the pipe is closed."""
    connection.send(Ready())
    connection.send(Warm())
    time.sleep(600)


def send_half(connection: Connection, *_: Any) -> None:
    """Start a job, then stop in the middle of sending its result."""
    connection.send(Ready())
    connection.send(Warm())
    job: Job = connection.recv()
    connection.send(Said(job.key, Progress("transcribe", 0.5)))
    os.write(connection.fileno(), struct.pack("!i", 1_000_000) + job.uuid.encode())
    os.kill(os.getpid(), signal.SIGSTOP)


def begin_and_die(connection: Connection, *_: Any) -> None:
    """Start a job, then die."""
    connection.send(Ready())
    connection.send(Warm())
    job: Job = connection.recv()
    connection.send(Said(job.key, Progress("transcribe", 0.5)))
    os._exit(1)


def complete_and_die(connection: Connection, *_: Any) -> None:
    """Complete a job, then die."""
    connection.send(Ready())
    connection.send(Warm())
    job: Job = connection.recv()
    connection.send(Said(job.key, Outcome("json", "[]", [], 1.0, {})))
    os._exit(1)
