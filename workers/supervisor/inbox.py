"""Read messages from a Pipe without blocking.

``Connection.recv`` blocks until a message is complete: a device process that is stopped while it sends a large result
would block the supervisor. The frames are those of CPython's
``multiprocessing.connection`` on Unix: the length as ``!i``, or -1 and the length as ``!Q``, then a pickle.
"""

from __future__ import annotations

import os
import pickle
import struct
from multiprocessing.connection import Connection
from typing import Any

CHUNK = 1024 * 1024
MOST_AT_ONCE = 64 * CHUNK  # bounds the time of one read, so that a large result does not block the loop
SHORT, LONG = struct.Struct("!i"), struct.Struct("!iQ")


class Inbox:
    """A buffer for messages that are not complete yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._arrived = bytearray()

    def read(self) -> list[Any]:
        """Return the messages that are complete.

        A closed Pipe has none.
        """
        self._receive()
        messages = []
        while (frame := self._find_frame()) is not None:
            start, end = frame
            messages.append(pickle.loads(memoryview(self._arrived)[start:end]))
            del self._arrived[:end]
        return messages

    def _receive(self) -> None:
        most = len(self._arrived) + MOST_AT_ONCE
        try:
            while len(self._arrived) < most and self._connection.poll():
                chunk = os.read(self._connection.fileno(), CHUNK)
                if not chunk:
                    return
                self._arrived += chunk
        except OSError:  # closed, or reset by a process that died
            return

    def _find_frame(self) -> tuple[int, int] | None:
        """Find the start and end of the first message.

        None while it is incomplete.
        """
        if len(self._arrived) < SHORT.size:
            return None
        (length,), start = SHORT.unpack_from(self._arrived), SHORT.size
        if length == -1:
            if len(self._arrived) < LONG.size:
                return None
            (_, length), start = LONG.unpack_from(self._arrived), LONG.size
        return (start, start + length) if len(self._arrived) >= start + length else None
