"""Connect to SQLite or PostgreSQL and migrate the schema."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from peewee import SQL, Database, DatabaseError, DatabaseProxy, InterfaceError, PostgresqlDatabase, SqliteDatabase
from playhouse import db_url
from playhouse.migrations import Runner

from app.core.db import search
from app.core.errors import SettingsError

Found = TypeVar("Found")
database = DatabaseProxy()

MIGRATIONS = Path(__file__).with_name("migrations")
MIGRATION_LOCK = 7_316_202  # key of a PostgreSQL advisory lock; an arbitrary number
BUSY_TIMEOUT = 10.0
# Without these, a connection whose cable is cut may wait for a quarter of an hour: see libpq's connection parameters.
PATIENCE = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # ms
}
# FULL, not NORMAL: an acknowledged task must survive a power cut, and in WAL mode NORMAL may lose the last commits.
PRAGMAS = {"journal_mode": "wal", "synchronous": "full", "foreign_keys": 1}


def connect(url: str, patience: float = BUSY_TIMEOUT, prepare: Callable[[Database], None] | None = None) -> Database:
    """Connect to ``url`` and apply missing migrations.

    Binds the models to the database and returns it open. ``patience``: seconds that a writer waits for another one on
    SQLite. ``prepare`` is called before the first connection.

    Raises SettingsError when the address cannot be used. The driver's error for an unreachable server passes through.
    """
    opened = build_database(url, patience)
    if prepare is not None:
        prepare(opened)
    database.initialize(opened)
    migrate(opened)
    return opened


def probe(url: str, look: Callable[[Database], Found]) -> Found | None:
    """Check the database without writing to it, and return what ``look`` finds there; None for a file not made yet.

    Raises what ``connect`` would raise for an unusable database, but creates nothing.
    """
    unopened = build_database(url)
    if isinstance(unopened, SqliteDatabase) and unopened.database != ":memory:":
        file = Path(unopened.database)
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise SettingsError(f"DB_URL: {file} is not writable")
        if not file.exists():
            return None
        # mode=ro: a check must not create or change anything.
        unopened = SqliteDatabase(f"{file.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_TIMEOUT)
    with unopened.connection_context():
        return look(unopened)


def build_database(url: str, patience: float = BUSY_TIMEOUT) -> Database:
    """Make a database object without connecting."""
    scheme = urlsplit(url).scheme.split("+")[0]
    if scheme == "sqlite":
        opened: Database = db_url.connect(url, timeout=patience, pragmas=PRAGMAS)
        assert isinstance(opened, SqliteDatabase)
        search.add_function(opened)
    elif scheme in ("postgres", "postgresql"):
        # Only on request does peewee decode percent-encoded characters in user and password.
        opened = db_url.connect(url, unquote_password=True, unquote_user=True, **PATIENCE)
    else:
        raise SettingsError(f"DB_URL: scheme {scheme!r} is not supported; use sqlite:/// or postgresql://")
    return opened


def ensure_connected() -> None:
    """Open this thread's connection, or reopen a lost one.

    The driver's error for an unreachable server passes through.
    """
    database.connect(reuse_if_open=True)
    if is_postgres(database):
        # A connection that the server has closed looks open until it is used.
        try:
            database.execute_sql("SELECT 1")
        except (DatabaseError, InterfaceError):
            database.close()
            database.connect()


def migrate(opened: Database) -> list[str]:
    """Apply missing migrations and return their names.

    Opens the database, and locks out other processes meanwhile.
    """
    with _lock_migrations(opened):
        applied: list[str] = Runner(opened, str(MIGRATIONS)).up()
    return applied


def is_postgres(opened: Any) -> bool:
    # A DatabaseProxy keeps the real database in ``obj``.
    return isinstance(getattr(opened, "obj", opened), PostgresqlDatabase)


def now() -> SQL:
    """Return an SQL expression for the database's clock.

    It gives seconds since 1970 (UTC). Every time in a row comes from it, since clocks of different hosts may differ.
    """
    if is_postgres(database):
        # Not now(), which returns the start of the transaction.
        return SQL("EXTRACT(EPOCH FROM clock_timestamp())::float8")
    # 2440587.5 is the Julian day of 1970-01-01.
    return SQL("((julianday('now') - 2440587.5) * 86400.0)")


def read_clock() -> float:
    """Read the database's clock.

    Returns seconds since 1970 (UTC).
    """
    return float(database.execute_sql(f"SELECT {now().sql}").fetchone()[0])


def begin_write() -> Any:
    """Begin a transaction that writes.

    SQLite takes the write lock at once: a read lock that must be upgraded later fails without waiting for the timeout.
    """
    return database.atomic() if is_postgres(database) else database.atomic("IMMEDIATE")


@contextmanager
def limit_wait(seconds: float) -> Iterator[None]:
    """Limit the wait for SQLite's write lock.

    The limit of ``seconds`` holds for this thread's connection. PostgreSQL locks single rows, and only for
    milliseconds: nothing changes there.
    """
    if is_postgres(database):
        yield
        return
    (usual,) = database.execute_sql("PRAGMA busy_timeout").fetchone()
    database.execute_sql(f"PRAGMA busy_timeout = {round(1000 * seconds)}")
    try:
        yield
    finally:
        database.execute_sql(f"PRAGMA busy_timeout = {usual}")


@contextmanager
def skip_sync() -> Iterator[None]:
    """Let the database commit without waiting for the disk, on this thread's connection.

    Only for what may be lost in a power cut, and outside a transaction. The database stays intact.
    """
    relax, restore = "PRAGMA synchronous = normal", "PRAGMA synchronous = full"
    if is_postgres(database):
        relax, restore = "SET synchronous_commit = off", "RESET synchronous_commit"
    database.execute_sql(relax)
    try:
        yield
    finally:
        database.execute_sql(restore)


@contextmanager
def _lock_migrations(opened: Database) -> Iterator[None]:
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
        # Connect after locking: when several processes switch a new file to WAL at once, SQLite fails some of them
        # without waiting for the timeout.
        opened.connect(reuse_if_open=True)
        yield
