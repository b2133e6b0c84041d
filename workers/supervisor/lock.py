"""Allow one supervisor per SQLite database.

The kernel releases the lock when its holder dies, even after SIGKILL.
"""

from __future__ import annotations

import fcntl
import os
import platform
from datetime import datetime, timezone
from typing import IO

from peewee import SqliteDatabase

from app.core.db.connection import database
from app.core.errors import SettingsError

SUFFIX = ".supervisor"
IN_MEMORY = ":memory:"


def acquire_lock() -> IO[str] | None:
    """Lock the open database for this supervisor.

    The lock lasts until the returned file is closed. None if several supervisors may use the database (PostgreSQL).
    Raises SettingsError, naming the holder, if another supervisor has the lock.
    """
    opened = getattr(database, "obj", database)
    if not isinstance(opened, SqliteDatabase) or opened.database == IN_MEMORY:
        return None
    path = os.path.realpath(opened.database) + SUFFIX
    file = open(path, "a+")  # not "w", which would erase the name of the current holder
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        say = f"{opened.database} is served by {holder}; stop it first, or use PostgreSQL to run several supervisors"
        raise SettingsError(say) from error
    file.truncate(0)
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    file.write(f"process {os.getpid()} on {platform.node()} since {since}\n")
    file.flush()
    return file
