"""Connect to the ledger and bring its schema up to date; SQLite and PostgreSQL, through playhouse.db_url."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from peewee import SQL, Database, DatabaseError, DatabaseProxy, InterfaceError, PostgresqlDatabase, SqliteDatabase
from playhouse import db_url
from playhouse.migrations import Runner

from app.core.db.layout import put_result_last
from app.core.errors import SettingsError

database = DatabaseProxy()

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 7_316_202
BUSY_TIMEOUT = 10.0
# FULL, not NORMAL: an acknowledged task must survive a power cut, and in WAL mode NORMAL may lose the last commits.
PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1}


def connect(url: str, patience: float = BUSY_TIMEOUT, prepare: Callable[[Database], None] | None = None) -> Database:
    """Bind the models to ``url``, apply what migrations are missing, and return the open database.

    ``patience``: seconds that a writer waits for another one on SQLite. ``prepare`` is called before the first connection.

    Raises SettingsError when the address cannot be used; what the driver says of an unreachable server passes through.
    """
    opened = _unopened(url, patience)
    if prepare is not None:
        prepare(opened)
    database.initialize(opened)
    migrate(opened)
    return opened


def probe(url: str) -> None:
    """Raise what ``connect`` would raise when the ledger cannot be used, without making, migrating or writing anything."""
    unopened = _unopened(url)
    if isinstance(unopened, SqliteDatabase) and unopened.database != ":memory:":
        file = Path(unopened.database)
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise SettingsError(f"DB_URL: {file} cannot be written")
        if not file.exists():
            return
        unopened = SqliteDatabase(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)
    with unopened.connection_context():
        unopened.get_tables()


def _unopened(url: str, patience: float = BUSY_TIMEOUT) -> Database:
    scheme = urlsplit(url).scheme.split("+")[0]
    if scheme == "sqlite":
        opened: Database = db_url.connect(url, timeout=patience, pragmas=PRAGMAS)
    elif scheme in ("postgres", "postgresql"):
        opened = db_url.connect(url, unquote_password=True, unquote_user=True, connect_timeout=5)
    else:
        raise SettingsError(f"DB_URL: scheme {scheme!r} is not supported; use sqlite:/// or postgresql://")
    return opened


def ensure() -> None:
    """Open this thread's connection, and a fresh one in place of one that the server has closed meanwhile.

    What the driver raises when there is no server to connect to passes through.
    """
    database.connect(reuse_if_open=True)
    if is_postgres(database):
        try:
            database.execute_sql("SELECT 1")
        except (DatabaseError, InterfaceError):
            database.close()
            database.connect()


def migrate(opened: Database) -> list[str]:
    """Open the ledger, apply the missing migrations while no other process does either, and return their names."""
    with _migrating(opened):
        applied: list[str] = Runner(opened, str(MIGRATIONS)).up()
        put_result_last(opened)
    return applied


def is_postgres(opened: Any) -> bool:
    return isinstance(getattr(opened, "obj", opened), PostgresqlDatabase)


def now() -> SQL:
    """The ledger's own clock as an SQL expression: seconds since 1970, UTC. Rows are never stamped by their writer."""
    if is_postgres(database):
        return SQL("EXTRACT(EPOCH FROM clock_timestamp())::float8")
    return SQL("((julianday('now') - 2440587.5) * 86400.0)")


def read_clock() -> float:
    """What ``now`` says at this moment."""
    return float(database.execute_sql(f"SELECT {now().sql}").fetchone()[0])


def write() -> Any:
    """A transaction that will write. SQLite's default BEGIN fails at once, despite the timeout, when it must upgrade."""
    return database.atomic() if is_postgres(database) else database.atomic("IMMEDIATE")


@contextmanager
def _migrating(opened: Database) -> Iterator[None]:
    if is_postgres(opened):
        opened.connect(reuse_if_open=True)
        opened.execute_sql("SELECT pg_advisory_lock(%s)", (MIGRATION_LOCK,))
        try:
            yield
        finally:
            opened.execute_sql("SELECT pg_advisory_unlock(%s)", (MIGRATION_LOCK,))
        return
    assert isinstance(opened, SqliteDatabase)
    if opened.database == ":memory:":
        opened.connect(reuse_if_open=True)
        yield
        return
    try:
        lock = open(f"{opened.database}.migrating", "w")
    except OSError as error:
        raise SettingsError(f"DB_URL: {opened.database} cannot be opened ({error.strerror})") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Connecting comes second: of several that turn a new file to WAL at once, SQLite fails some despite the timeout.
        opened.connect(reuse_if_open=True)
        yield
