"""Start the supervisor: python -m workers."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from peewee import Database, DatabaseError

from app.core import settings
from app.core.db import connection, deliveries, downloads, identity
from app.core.db.leader_lock import LeaderLock
from app.core.db.tasks import LEASE_SECONDS
from app.core.errors import SettingsError
from app.core.logs import configure_logging
from app.core.storage.opening import open_storage
from workers.device.main import serve as serve_device
from workers.downloads.downloader import Downloader
from workers.supervisor import lock, purge
from workers.supervisor.engine_choice import connect_to_cluster, create_engine
from workers.supervisor.leadership import Leadership
from workers.supervisor.loop import Supervisor
from workers.supervisor.waiters import GRACE_SECONDS
from workers.webhooks.deliverer import Deliverer

DATABASE_PATIENCE = 2.0  # shorter than for a web request: the loop cannot notice a crash while it waits


def main(
    serve: Callable[..., None] = serve_device,
    lease_seconds: float = LEASE_SECONDS,
    grace_seconds: float = GRACE_SECONDS,
    prepare: Callable[[Database], None] | None = None,
) -> None:
    """Run supervisor, downloads, webhooks and purge until a signal.

    The parameters are for tests.
    """
    configure_logging()
    _exit_on_signals()
    loaded = settings.load()
    storage = open_storage(loaded)
    storage.prepare()
    opened = connection.connect(loaded.db_url, DATABASE_PATIENCE, prepare)
    storage.claim(identity.read())
    held = lock.acquire_lock()
    leadership = None
    if loaded.workers.engine == settings.RAY:
        connect_to_cluster(loaded)  # before it leads: a supervisor without a cluster must not keep others from leading
        _exit_on_signals()  # again, because Ray sets handlers of its own
        if connection.is_postgres(opened):
            leadership = Leadership(LeaderLock(loaded.db_url))
            leadership.acquire()
    engine = create_engine(loaded, serve)
    if held is not None:  # no other process can be downloading or sending: free the claims of a crashed one
        downloads.release_all()
        deliveries.release_all()
    scheduler = purge.start_purge(storage, loaded.cache, loaded.tasks)
    fetching = Downloader(loaded)
    delivering = Deliverer(loaded)
    fetching.start()
    if loaded.webhooks.enabled:
        delivering.start()
    try:
        is_only = held is not None
        Supervisor(loaded, engine, is_only, lease_seconds=lease_seconds, grace_seconds=grace_seconds).run()
    finally:
        fetching.stop()
        if loaded.webhooks.enabled:
            delivering.stop()
        scheduler.shutdown(wait=False)
        if leadership is not None:
            leadership.release()


def _exit_on_signals() -> None:
    """Exit at a signal, until the supervisor runs: as the first process of a container, it would ignore the signal."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        sys.exit(f"cannot start: {error}")
    except DatabaseError as error:
        sys.exit(f"cannot start: the database is not available: {error}")
