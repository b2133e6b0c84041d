"""Measure the import time of the web app and the start of `make serve`.

Ctrl-C must leave no process.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from bench import places
from bench.figures import Figure
from tests.service import MINI, ROOT, free_port, until

ROUNDS = 5
IMPORT_SECONDS, SERVE_SECONDS = 1.0, 2.0
START_PATIENCE = STOP_PATIENCE = 30.0
POLL_SECONDS = 0.02


def measure(quick: bool) -> Iterator[Figure]:
    rounds = 2 if quick else ROUNDS
    imports = [import_web() for _ in range(rounds)]
    yield Figure("import of app.factory, best", min(imports), "s", IMPORT_SECONDS)
    yield Figure(f"import of app.factory, median of {rounds}", median(imports), "s", IMPORT_SECONDS)
    served = [serve() for _ in range(rounds)]
    yield Figure(f"make serve to /health/live, median of {rounds}", median(s[0] for s in served), "s", SERVE_SECONDS)
    yield Figure(f"Ctrl-C to the end of make serve, max of {rounds}", max(s[1] for s in served), "s")
    yield Figure("processes left behind by make serve", sum(s[2] for s in served), "", 0)


def import_web() -> float:
    """Seconds for a new interpreter to import the web app and exit."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import app.factory"], cwd=ROOT, check=True)
    return time.perf_counter() - started


def serve() -> tuple[float, float, int]:
    """Run `make serve`.

    Return the seconds to its first answer, those to stop, and the processes left.
    """
    with places.folder() as folder:
        port = free_port()
        started = time.perf_counter()
        process = start_make(folder, port, MINI / "config.yaml")
        try:
            until(lambda: is_alive(port), "make serve answers", START_PATIENCE, POLL_SECONDS)
            answered = time.perf_counter()
        finally:
            os.killpg(process.pid, signal.SIGINT)
            wait_or_kill(process)
        return answered - started, time.perf_counter() - answered, len(places.started_in(folder))


def start_make(folder: Path, port: int, config: Path) -> subprocess.Popen[bytes]:
    """Run `make serve` with all its files in ``folder``, in its own process group, as a terminal does."""
    environment = {
        **os.environ,
        "PORT": str(port),
        "MODEL": "",
        "CONFIG": str(config),
        "DB_URL": f"sqlite:///{folder / 'records.db'}",
        "CACHE_DIR": str(folder / "cache"),
    }
    with (folder / "serve.log").open("wb") as output:
        return subprocess.Popen(
            ["make", "serve"], cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )


def wait_or_kill(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def is_alive(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/live")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
