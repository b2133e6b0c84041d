"""python -m tests.faults.worker: the real supervisor; its device processes take orders, and the ledger's clock can be set."""

from __future__ import annotations

import os
from pathlib import Path

from tests.faults import clock, injection
from workers import device_process, leases, serving
from workers.__main__ import main

if __name__ == "__main__":
    # DeviceProcess looks its target up here; the process itself imports workers.serving anew and finds the real one
    device_process.serving = type("Injected", (), {"serve": injection.serve, "DEVICE_LOST": serving.DEVICE_LOST})  # type: ignore[assignment]
    leases.LEASE_SECONDS = float(os.environ.get("LEASE_SECONDS", leases.LEASE_SECONDS))  # type: ignore[attr-defined]
    clock.install(Path(os.environ[injection.FOLDER]))
    main()
