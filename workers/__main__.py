"""Start the supervisor: python -m workers."""

from __future__ import annotations

import sys
from collections.abc import Callable

from peewee import Database, DatabaseError

from app import settings
from app.errors import SettingsError
from app.ledger import db, download
from app.ledger.task import LEASE_SECONDS
from app.logs import configure_logging
from workers import alone, devices, purge, serving
from workers.fetching import Fetching
from workers.supervisor import Supervisor

LEDGER_PATIENCE = 2.0  # shorter than a web request's: while it waits, no process that dies is seen


def main(
    serve: Callable[..., None] = serving.serve,
    lease_seconds: float = LEASE_SECONDS,
    prepare: Callable[[Database], None] | None = None,
) -> None:
    """Run the supervisor with its downloads and its purge until a signal stops it; the parameters are for tests."""
    configure_logging()
    loaded = settings.load()
    loaded.cache.path.mkdir(parents=True, exist_ok=True)
    slots = devices.slots(loaded.workers)
    for slot in slots:
        devices.separation_device(loaded.bgm_separation, slot)
    db.connect(loaded.db_url, LEDGER_PATIENCE, prepare)
    lock = alone.hold()
    if lock is not None:
        download.release_all()
    scheduler = purge.start(loaded.cache, loaded.tasks)
    fetching = Fetching(loaded)
    fetching.start()
    try:
        Supervisor(loaded, slots, alone=lock is not None, serve=serve, lease_seconds=lease_seconds).run()
    finally:
        fetching.stop()
        scheduler.shutdown(wait=False)


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit(f"cannot start: {error}")
    except DatabaseError as error:
        sys.exit(f"cannot start: the ledger does not answer: {error}")
