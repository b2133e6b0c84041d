"""Run the real supervisor over device processes that sleep: python -m bench.sleeping_supervisor.

The settings say on which engine. Downloads, webhooks and the purge are left out: they do not take part in a task.
"""

from __future__ import annotations

from app.core import settings
from app.core.db import connection
from app.core.logs import configure_logging
from app.core.settings import RAY, Settings
from app.core.storage.opening import open_storage
from bench import sleeping
from workers.device import slots
from workers.supervisor.engine import Engine
from workers.supervisor.local_engine import LocalEngine
from workers.supervisor.loop import Supervisor


def main() -> None:
    configure_logging()
    loaded = settings.load()
    open_storage(loaded).prepare()
    connection.connect(loaded.db_url)
    Supervisor(loaded, _create_engine(loaded), is_only_supervisor=False).run()


def _create_engine(loaded: Settings) -> Engine:
    if loaded.workers.engine != RAY:
        return LocalEngine(loaded, slots.list_slots(loaded.workers), sleeping.serve)
    from workers.supervisor.ray_engine import RayEngine  # the local engine does without this package

    return RayEngine(loaded, sleeping.serve_slot)


if __name__ == "__main__":
    main()
