"""A device process on a node of a Ray cluster: the actor that serves one slot.

It imports this checkout, but not ray: the supervisor makes it an actor (workers/supervisor/ray_engine.py).
"""

from __future__ import annotations

import ctypes
import os
import platform
import queue
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.settings import Settings
from workers.device import main, slots
from workers.device.node import Versions, find_obstacle, read_versions
from workers.device.protocol import Command, Loading, Message, Slot

THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True)
class Placed:
    """The first message of an actor: the node on which it runs, and what the supervisor compares."""

    node: str
    pid: int
    versions: Versions


@dataclass(frozen=True)
class Refused:
    """The last message of an actor on whose node tasks would fail."""

    obstacle: str


@dataclass(frozen=True)
class Ending:
    """The last message of an actor that has served its slot."""


HostMessage = Placed | Refused | Ending | Message


class Mailbox:
    """The Channel of an actor: two queues in place of a Pipe."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[HostMessage] = queue.SimpleQueue()

    def send(self, message: HostMessage) -> None:
        self._messages.put(message)

    def receive(self, seconds: float) -> Command | None:
        try:
            command = self._commands.get(timeout=seconds)
        except queue.Empty:
            return None
        if command is None:
            raise EOFError("the supervisor has hung up")
        return command

    def post(self, command: Command | None) -> None:
        """Add a command; None: the supervisor hangs up."""
        self._commands.put(command)

    def read(self) -> list[HostMessage]:
        """Wait for a message; return it with those that follow it already."""
        messages = [self._messages.get()]
        while not self._messages.empty():  # only this thread takes any
            messages.append(self._messages.get())
        return messages


class Host:
    """The actor. One thread of Ray waits for its messages, another takes commands.

    ``mark``: what ``node.write_mark`` has returned to the supervisor. ``serve`` runs the slot, in a thread of our own.
    """

    def __init__(
        self, slot: Slot, settings: Settings, preload: bool, mark: str, serve: Callable[..., None] = main.serve_slot
    ) -> None:
        _ignore_termination()
        _forget_threads_of_ray()
        if slot.device == "cpu":  # only the node knows its cores
            slot = replace(slot, threads=slots.count_threads(settings.workers))
        self._slot, self._settings, self._preload = slot, settings, preload
        self._mark = mark
        self._serve_slot = serve
        self._mailbox = Mailbox()
        self._mailbox.send(Placed(platform.node(), os.getpid(), read_versions()))
        self._mailbox.send(Loading("the speech libraries"))  # so that the limits of loading hold from here on
        threading.Thread(target=self._run, name="device", daemon=True).start()

    def read(self) -> list[HostMessage]:
        """Wait for messages to the supervisor, and return them."""
        return self._mailbox.read()

    def take(self, command: Command | None) -> None:
        """Take a command; None: the supervisor hangs up."""
        self._mailbox.post(command)

    def _run(self) -> None:
        last: HostMessage = Ending()
        try:
            if obstacle := find_obstacle(self._settings, self._mark):
                last = Refused(obstacle)
            else:
                self._serve_slot(self._mailbox, self._slot, self._settings, self._preload)
        finally:  # after an error, too: the supervisor then sees that the process has ended
            self._mailbox.send(last)


def _ignore_termination() -> None:
    """Ignore SIGTERM: the supervisor decides when the process ends. Ray's handler would end its calls, but not the process.

    The C library is asked, because Python's own function works in the main thread only.
    """
    ctypes.CDLL(None).signal(signal.SIGTERM, int(signal.SIG_IGN))


def _forget_threads_of_ray() -> None:
    """Remove the limit that Ray sets for processes without CPUs of their own: one thread. One of the operator stays."""
    try:
        given = Path("/proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        return
    if not any(entry.startswith(f"{THREADS}=".encode()) for entry in given):
        os.environ.pop(THREADS, None)
