"""The real supervisor, with faults in its device processes and a database clock that can be set."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from app.core.db.tasks import LEASE_SECONDS
from tests.faults import clock, injection
from workers.__main__ import main
from workers.supervisor.waiters import GRACE_SECONDS

if __name__ == "__main__":
    main(
        serve=injection.serve,
        lease_seconds=float(os.environ.get("LEASE_SECONDS", LEASE_SECONDS)),
        grace_seconds=float(os.environ.get("GRACE_SECONDS", GRACE_SECONDS)),
        prepare=partial(clock.install, Path(os.environ[injection.FOLDER])),
    )
