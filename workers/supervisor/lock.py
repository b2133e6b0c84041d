"""One supervisor for one SQLite database: a lock that the kernel lets go of when its holder dies, however it dies."""

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
    """Take the lock of the open database, for as long as the answer is kept open; None where several may serve (PostgreSQL).

    Raises SettingsError that says who holds it.
    """
    opened = getattr(database, "obj", database)
    if not isinstance(opened, SqliteDatabase) or opened.database == IN_MEMORY:
        return None
    path = os.path.realpath(opened.database) + SUFFIX
    file = open(path, "a+")  # not "w": what its holder wrote into it must not be lost before the lock is ours
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        say = f"{opened.database} is served by {holder}; one SQLite database takes one supervisor, PostgreSQL takes several"
        raise SettingsError(say) from error
    file.truncate(0)
    since = datetime.now(timezone.utc).isoformat(timespec="seconds")
    file.write(f"process {os.getpid()} on {platform.node()} since {since}\n")
    file.flush()
    return file
