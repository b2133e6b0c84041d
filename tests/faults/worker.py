"""python -m tests.faults.worker: the real supervisor; its device processes take orders, and the ledger's clock can be set."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults import clock, injection
from workers.__main__ import main
from workers.device import main as device_main
from workers.supervisor import lease_watch, process

if __name__ == "__main__":
    # DeviceProcess looks its target up here; the process itself imports workers.device.main anew and finds the real one
    process.serving = type("Injected", (), {"serve": injection.serve, "DEVICE_LOST": device_main.DEVICE_LOST})  # type: ignore[assignment]
    lease_watch.LEASE_SECONDS = float(os.environ.get("LEASE_SECONDS", lease_watch.LEASE_SECONDS))  # type: ignore[attr-defined]
    clock.install(Path(os.environ[injection.FOLDER]))
    main()
