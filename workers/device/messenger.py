"""A device process's end of the Pipe, for several threads."""

from __future__ import annotations

import threading
from multiprocessing.connection import Connection

from workers.device.protocol import Command, Message


class Messenger:
    """Send the messages of several threads, one at a time; receive in one thread."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lock = threading.Lock()

    def send(self, message: Message) -> None:
        with self._lock:
            self._connection.send(message)

    def receive(self, seconds: float) -> Command | None:
        """Return the next command, or None if there is none for ``seconds``.

        Raises EOFError when the supervisor has closed the Pipe, or died.
        """
        if not self._connection.poll(seconds):
            return None
        command: Command = self._connection.recv()
        return command
