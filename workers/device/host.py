"""A device process on a node of a Ray cluster: the actor that serves one slot.

It imports this checkout, but not ray: the supervisor makes it an actor (workers/supervisor/ray_engine.py).
"""

from __future__ import annotations

import os
import platform
import queue
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

from app.core.settings import Settings
from workers.device import main, slots
from workers.device.protocol import Command, Loading, Message, Slot

MARK = ".supervisor"  # a file in cache.path


@dataclass(frozen=True)
class Versions:
    """What must be the same on all nodes: of Ray, and of Python without the last part."""

    ray: str
    python: str

    def __str__(self) -> str:
        return f"Ray {self.ray} and Python {self.python}"


@dataclass(frozen=True)
class Placed:
    """The first message of an actor: the node on which it runs, and what the supervisor checks.

    ``sees_files``: its ``cache.path`` is the folder of the supervisor, or the recordings are in a bucket.
    """

    node: str
    pid: int
    versions: Versions
    sees_files: bool


def read_versions() -> Versions:
    """Return the versions of this process."""
    return Versions(version("ray"), ".".join(platform.python_version_tuple()[:2]))


def write_mark(cache: Path) -> str:
    """Mark the folder of this supervisor, and return the mark."""
    mark = uuid.uuid4().hex
    (cache / MARK).write_text(mark)
    return mark


def read_mark(cache: Path) -> str | None:
    """Return the mark of the folder, None without one."""
    try:
        return (cache / MARK).read_text()
    except OSError:
        return None


class Mailbox:
    """The Channel of an actor: two queues in place of a Pipe."""

    def __init__(self) -> None:
        self._commands: queue.SimpleQueue[Command | None] = queue.SimpleQueue()
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()

    def send(self, message: Message) -> None:
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

    def close(self) -> None:
        """End ``read_messages`` after what was sent before."""
        self._messages.put(None)

    def read_messages(self) -> Iterator[Message]:
        """Yield each message once it is sent."""
        while (message := self._messages.get()) is not None:
            yield message


class Host:
    """The actor. One thread of Ray streams its messages, another takes commands.

    ``mark``: what the supervisor has written to the file MARK. ``serve`` runs the slot, in a thread of our own.
    """

    def __init__(
        self, slot: Slot, settings: Settings, preload: bool, mark: str, serve: Callable[..., None] = main.serve_slot
    ) -> None:
        if slot.device == "cpu":  # only the node knows its cores
            slot = replace(slot, threads=slots.count_threads(settings.workers))
        self._arguments = (slot, settings, preload)
        self._sees_files = bool(settings.storage.url) or read_mark(settings.cache.path) == mark
        self._serve_slot = serve
        self._mailbox = Mailbox()

    def serve(self) -> Iterator[Placed | Message]:
        """Run the slot until the supervisor hangs up; yield what it says."""
        yield Placed(platform.node(), os.getpid(), read_versions(), self._sees_files)
        yield Loading("the speech libraries")  # so that the limits of loading hold from here on
        threading.Thread(target=self._run, name="device", daemon=True).start()
        yield from self._mailbox.read_messages()

    def take(self, command: Command | None) -> None:
        """Take a command; None: the supervisor hangs up."""
        self._mailbox.post(command)

    def _run(self) -> None:
        try:
            self._serve_slot(self._mailbox, *self._arguments)
        finally:  # after an error, too: the supervisor then sees that the process has ended
            self._mailbox.close()
