"""A lock of PostgreSQL that one supervisor holds, on a connection of its own.

The server releases it when this connection ends.
"""

from __future__ import annotations

from app.core.db.connection import build_database

LEADER_LOCK = 7_316_204  # key of an advisory lock; an arbitrary number
# The server notices within about 11 s that the machine of the holder is gone; the default is two hours.
KEEPALIVE = ("tcp_keepalives_idle = 5", "tcp_keepalives_interval = 2", "tcp_keepalives_count = 3")


class LeaderLock:
    """Use it in one thread. Every method raises the driver's error when the connection breaks."""

    def __init__(self, url: str) -> None:
        self._database = build_database(url)

    def connect(self) -> None:
        self._database.connect()
        for setting in KEEPALIVE:
            self._database.execute_sql(f"SET {setting}")

    def try_acquire(self) -> bool:
        """Return whether this connection has the lock now."""
        answer = self._database.execute_sql("SELECT pg_try_advisory_lock(%s)", (LEADER_LOCK,))
        return bool(answer.fetchone()[0])

    def check(self) -> None:
        """Do nothing but use the connection."""
        self._database.execute_sql("SELECT 1")

    def close(self) -> None:
        self._database.close()
