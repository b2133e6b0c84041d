"""Detect cheaply that the database has changed.

Uses PRAGMA data_version on SQLite, and LISTEN on PostgreSQL.
"""

from __future__ import annotations

from typing import Any

from peewee import OperationalError

from app.core.db.connection import database, is_postgres
from app.core.db.tasks import CHANNEL


class Watch:
    """Detects commits by other connections.

    Each call covers the time since the last one, on this thread's connection.
    """

    def __init__(self) -> None:
        self._connection: Any = None
        self._version: int | None = None

    def has_changed(self) -> bool:
        connection = database.connection()
        # Commits before a reconnect are unknown: report a change.
        fresh = connection is not self._connection
        self._connection = connection
        return self._poll_notifications(connection, fresh) if is_postgres(database) else self._check_version() or fresh

    def _check_version(self) -> bool:
        # SQLite changes data_version only for commits of other connections.
        version: int = database.execute_sql("PRAGMA data_version").fetchone()[0]
        changed = version != self._version
        self._version = version
        return changed

    def _poll_notifications(self, connection: Any, fresh: bool) -> bool:
        if fresh:
            database.execute_sql(f"LISTEN {CHANNEL}")
        try:
            connection.poll()
        except Exception as error:  # the driver's own; peewee translates only errors of its own calls
            raise OperationalError(str(error)) from error
        heard = bool(connection.notifies)
        connection.notifies.clear()
        return heard or fresh
