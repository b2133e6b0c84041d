"""A device process's way to the supervisor, for several threads."""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection
from typing import Protocol

from workers.device.protocol import Command, Message


class Channel(Protocol):
    """Send the messages of several threads, one at a time; receive in one thread."""

    def send(self, message: Message) -> None:
        """Send a message to the supervisor."""

    def receive(self, seconds: float) -> Command | None:
        """Return the next command, or None if there is none for ``seconds``.

        Raises EOFError when the supervisor has hung up, or died.
        """


class Messenger:
    """The Channel over a Pipe."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)

    def receive(self, seconds: float) -> Command | None:
        if not self._connection.poll(seconds):
            return None
        command: Command = self._connection.recv()
        return command
