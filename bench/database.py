"""Compare polling, claiming and listing on a database of a million finished tasks with a new one.

Runs on SQLite, and on PostgreSQL where its server is installed; there also with several claimants (claimants.py).
"""

from __future__ import annotations

import dataclasses
import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from flask import Flask
from flask.testing import FlaskClient

from app.core import settings
from app.core.db import claims, connection, tasks
from app.core.db.tasks import Claim
from app.factory import create_app
from bench import claimants, places
from bench.figures import Figure
from tests.postgres import Postgres, find_postgres
from tests.service import MINI

ROWS, PAGE = 1_000_000, 50
REPETITIONS, ROUNDS = 200, 5
MOST_RATIO = 1.5
SEGMENT = {"id": 0, "start": 0.4, "end": 1.7, "text": "hello and thanks", "speaker": None, "words": []}
RESULT = json.dumps([SEGMENT] * 6)
SQLITE, POSTGRESQL = "sqlite", "postgresql"
COUNTED = {
    SQLITE: "(WITH RECURSIVE counted(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM counted WHERE n < ?) SELECT n FROM counted)",
    POSTGRESQL: "(SELECT n FROM generate_series(%s::bigint, %s) AS n)",
}
# identifiers in a scattered order, as random ones would be
IDENTIFIER = {
    SQLITE: "printf('%08x-0000-4000-8000-%012x', (n * 2654435761) % 4294967296, n)",
    POSTGRESQL: (
        "lpad(to_hex((n * 2654435761) %% 4294967296), 8, '0') || '-0000-4000-8000-' || lpad(to_hex(n), 12, '0')"
    ),
}
FILL_TASKS = """
INSERT INTO task (uuid, task_type, status, file_name, params, work, warnings, result_type, progress, claim_no, crashes,
                  lost_nodes, lane, changes, speaker_names, created_at, started_at, finished_at, duration, files_purged_at)
SELECT {identifier}, 'transcription',
       CASE WHEN n {modulo} 50 = 0 THEN 'FAILED' WHEN n {modulo} 50 = 1 THEN 'CANCELLED' ELSE 'COMPLETED' END,
       'a.wav', '{{"beam_size": 5}}', '[]', '[]', 'json', 1.0, 1, 0, 0, 1, 3, '{{}}', 1e9 + n, 1e9 + n, 1e9 + n, 0.5,
       1e9 + n
FROM {counted} AS numbers
"""
FILL_RESULTS = """
INSERT INTO result (task, result) SELECT {identifier}, {result} FROM {counted} AS numbers WHERE n {modulo} 50 > 1
"""
# What both databases do by themselves in time.
MAINTENANCE = {
    SQLITE: ("PRAGMA wal_checkpoint(TRUNCATE)",),
    POSTGRESQL: ("VACUUM ANALYZE task", "VACUUM ANALYZE result"),
}
# Both databases fill a page, so the size of the answer is the same.
LISTS = {
    "GET /task": "/task",
    "GET /task?status=QUEUED (none)": "/task?status=QUEUED",
    "GET /task with both filters (none)": "/task?status=QUEUED&task_type=transcription",
}

Measured = dict[str, float]


def measure(quick: bool) -> Iterator[Figure]:
    rows, rounds = (ROWS // 100, 2) if quick else (ROWS, ROUNDS)
    with places.folder() as folder:
        addresses = [f"sqlite:///{folder / name}.db" for name in ("young", "old")]
        yield from compare(SQLITE, addresses, folder, rows, rounds)
        programs = find_postgres()
        if programs is not None:
            with Postgres(programs) as server:
                addresses = [server.database(name) for name in ("young", "old")]
                yield from compare(POSTGRESQL, addresses, folder, rows, rounds)
            with Postgres(programs, durable=True) as server:
                yield from claimants.measure(server, quick)


def compare(kind: str, addresses: list[str], folder: Path, rows: int, rounds: int) -> Iterator[Figure]:
    for address, count in zip(addresses, (PAGE, rows), strict=True):
        fill(kind, address, count)
    taken = [[measure_operations(address, folder) for address in addresses] for _ in range(rounds)]
    for name in taken[0][0]:
        before, after = (median(sides[side][name] for sides in taken) for side in (0, 1))
        yield Figure(f"{kind}: {name}, {PAGE} tasks", 1000 * before, "ms")
        yield Figure(f"{kind}: {name}, {rows} tasks", 1000 * after, "ms")
        yield Figure(f"{kind}: {name}: the one / the other", after / before, most=MOST_RATIO)


def fill(kind: str, address: str, rows: int) -> None:
    """Insert ``rows`` ended tasks and their results.

    The newest PAGE tasks are the same in every database.
    """
    opened = connection.connect(address)
    mark, modulo = ("?", "%") if kind == SQLITE else ("%s", "%%")
    parts = {"counted": COUNTED[kind], "identifier": IDENTIFIER[kind], "modulo": modulo, "result": mark}
    tasks_sql, results_sql = FILL_TASKS.format(**parts), FILL_RESULTS.format(**parts)
    for start in range(1, rows + 1, 100_000):
        numbers = (start, min(rows, start + 99_999))
        opened.execute_sql(tasks_sql, numbers)
        opened.execute_sql(results_sql, (RESULT, *numbers))
    if kind == POSTGRESQL:
        opened.commit()
        opened.connection().autocommit = True  # VACUUM cannot run in a transaction
    for statement in MAINTENANCE[kind]:
        opened.execute_sql(statement)
    opened.close()


def measure_operations(address: str, folder: Path) -> Measured:
    """Median seconds of each operation."""
    environment = {"CONFIG": str(MINI / "config.yaml"), "CACHE_DIR": str(folder / "cache")}
    loaded = settings.load(environment, root=folder)
    app: Flask = create_app(dataclasses.replace(loaded, db_url=address))
    client = app.test_client()
    newest = client.get("/task?limit=1").get_json()["tasks"][0]["identifier"]
    taken = {name: time_repeated(lambda address=address: get(client, address)) for name, address in LISTS.items()}  # type: ignore[misc]
    taken["GET /task/{id}"] = time_repeated(lambda: get(client, f"/task/{newest}"))
    connection.database.connect(reuse_if_open=True)
    taken["claim, queue empty"] = time_repeated(lambda: claims.claim("bench"))
    taken |= time_task_steps()
    connection.database.close()
    return taken


def get(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 200


def time_task_steps() -> Measured:
    """Submit, claim and complete tasks.

    Each is deleted again, so that every round finds the same rows.
    """
    submitting: list[float] = []
    claiming: list[float] = []
    completing: list[float] = []
    for _ in range(REPETITIONS):
        identifier = str(uuid.uuid4())
        times = [time.perf_counter()]
        tasks.submit(identifier, "transcription", {}, "a.wav", [])
        times.append(time.perf_counter())
        row = claims.claim("bench")
        times.append(time.perf_counter())
        assert row is not None and row.uuid == identifier
        tasks.complete(Claim(identifier, row.claim_no, "bench"), "json", RESULT, [], 0.5)
        times.append(time.perf_counter())
        tasks.delete(identifier)
        for kept, begin, end in zip((submitting, claiming, completing), times, times[1:], strict=False):
            kept.append(end - begin)
    return {"submit": median(submitting), "claim": median(claiming), "complete": median(completing)}


def time_repeated(work: Callable[[], object]) -> float:
    taken = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        work()
        taken.append(time.perf_counter() - started)
    return median(taken)
