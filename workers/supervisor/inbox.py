"""Read messages from a Pipe without ever waiting for the rest of one.

``Connection.recv`` blocks from a message's first byte to its last, and so, for as long as a device process is stopped or
slow in the middle of a large result, it would block the supervisor. The frames are those of CPython's
``multiprocessing.connection`` on Unix: the length as ``!i``, or -1 and the length as ``!Q``, then a pickle.
"""

from __future__ import annotations

import os
import pickle
import struct
from multiprocessing.connection import Connection
from typing import Any

CHUNK = 1024 * 1024
MOST_AT_ONCE = 64 * CHUNK  # so that the supervisor's loop goes on while a large result arrives
SHORT, LONG = struct.Struct("!i"), struct.Struct("!iQ")


class Inbox:
    """What has arrived on one end of a Pipe, and is not complete yet."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._arrived = bytearray()

    def read(self) -> list[Any]:
        """Return the messages that have arrived completely. A Pipe that has ended has no more."""
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
        """Where the first message starts and ends; None while it is incomplete."""
        if len(self._arrived) < SHORT.size:
            return None
        (length,), start = SHORT.unpack_from(self._arrived), SHORT.size
        if length == -1:
            if len(self._arrived) < LONG.size:
                return None
            (_, length), start = LONG.unpack_from(self._arrived), LONG.size
        return (start, start + length) if len(self._arrived) >= start + length else None
