"""A device process on a node of a Ray cluster: the actor that serves one slot.

It imports this checkout, but not ray: the supervisor makes it an actor (workers/supervisor/ray_engine.py).
"""

from __future__ import annotations

import os
import platform
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from app.core.settings import Settings
from workers.device import main, slots
from workers.device.node import Versions, find_obstacle, read_versions
from workers.device.protocol import Command, Loading, Message, Slot


@dataclass(frozen=True)
class Placed:
    """The first message of an actor: the node on which it runs, and what the supervisor checks.

    ``obstacle``: why tasks would fail there; empty if they can run.
    """

    node: str
    pid: int
    versions: Versions
    obstacle: str


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

    ``mark``: what ``node.write_mark`` has returned to the supervisor. ``serve`` runs the slot, in a thread of our own.
    """

    def __init__(
        self, slot: Slot, settings: Settings, preload: bool, mark: str, serve: Callable[..., None] = main.serve_slot
    ) -> None:
        if slot.device == "cpu":  # only the node knows its cores
            slot = replace(slot, threads=slots.count_threads(settings.workers))
        self._arguments = (slot, settings, preload)
        self._mark = mark
        self._serve_slot = serve
        self._mailbox = Mailbox()

    def serve(self) -> Iterator[Placed | Message]:
        """Run the slot until the supervisor hangs up; yield what it says."""
        _, settings, _ = self._arguments
        yield Placed(platform.node(), os.getpid(), read_versions(), find_obstacle(settings, self._mark))
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
