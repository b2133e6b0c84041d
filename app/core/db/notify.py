"""Notice cheaply that the database has changed: PRAGMA data_version on SQLite, LISTEN on PostgreSQL."""

from __future__ import annotations

from typing import Any

from peewee import OperationalError

from app.core.db.connection import database, is_postgres
from app.core.db.tasks import CHANNEL


class Watch:
    """Tells whether another connection has committed since the last call, on this thread's connection."""

    def __init__(self) -> None:
        self._connection: Any = None
        self._version: int | None = None

    def has_changed(self) -> bool:
        connection = database.connection()
        fresh = connection is not self._connection
        self._connection = connection
        return self._notified(connection, fresh) if is_postgres(database) else self._advanced() or fresh

    def _advanced(self) -> bool:
        version: int = database.execute_sql("PRAGMA data_version").fetchone()[0]
        changed = version != self._version
        self._version = version
        return changed

    def _notified(self, connection: Any, fresh: bool) -> bool:
        if fresh:
            database.execute_sql(f"LISTEN {CHANNEL}")
        try:
            connection.poll()
        except Exception as error:  # The driver's own error: peewee translates only those of its own calls.
            raise OperationalError(str(error)) from error
        heard = bool(connection.notifies)
        connection.notifies.clear()
        return heard or fresh
