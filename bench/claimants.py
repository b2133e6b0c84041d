"""Claims, reports and completions of several supervisors at once, on PostgreSQL with a disk that is waited for.

Each claimant is a process that calls the functions of app/core/db, as a supervisor does.
"""

from __future__ import annotations

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from statistics import median

from app.core.db import claims, connection, reports, tasks
from app.core.db.reports import Report
from app.core.db.tasks import Claim
from bench.figures import Figure
from tests.postgres import Postgres

CLAIMANTS = (1, 4, 16)
TASKS, ROUNDS, ROWS = 2000, 3, 100
REPORTS = 5  # of each task, in `work`
WORD = {"start": 0.4, "end": 1.7, "word": "hello", "probability": 0.93}
RESULT = json.dumps([{"id": 0, "start": 0.4, "end": 1.7, "text": "hello", "words": [WORD] * 10}] * 45)  # 38 kB
FILL = """
INSERT INTO task (uuid, task_type, status, file_name, params, work, warnings, progress, claim_no, crashes, lane, changes,
                  speaker_names, created_at)
SELECT gen_random_uuid()::text, 'transcription', 'QUEUED', 'a.wav', '{{"beam_size": 5}}', '[]', '[]', 0, 0, 0, 1, 0,
       '{{}}', 1e9
FROM generate_series(1, {rows})
"""
MOST_SHARED = 0.6  # time of a step with 16 claimants / with one: they must not hold each other up
MOST_TOGETHER = 0.2  # time of a report in a statement with 99 others / in one of its own


def measure(server: Postgres, quick: bool) -> Iterator[Figure]:
    count, rounds = (TASKS // 20, 1) if quick else (TASKS, ROUNDS)
    address = server.database("claimants")
    for name, step in (("claims", claim_only), ("claims and completions", claim_and_complete), ("tasks", work)):
        seconds = {
            number: median(time_claimants(address, number, step, count) for _ in range(rounds)) for number in CLAIMANTS
        }
        for number, each in seconds.items():
            yield Figure(f"postgresql: {name} a second, {number} claimants", 1 / each)
        yield Figure(f"postgresql: {name}, 16 claimants / 1", seconds[16] / seconds[1], most=MOST_SHARED)
    yield from compare_reports(address, rounds)


def time_claimants(address: str, number: int, step: Callable[[str], bool], count: int) -> float:
    """Return the seconds per task that ``number`` processes take for ``count`` tasks together."""
    opened = connection.connect(address)
    opened.execute_sql("TRUNCATE task CASCADE")
    opened.execute_sql(FILL.format(rows=count))
    opened.close()
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(number + 1)
    processes = [context.Process(target=claim_all, args=(address, step, barrier)) for _ in range(number)]
    for process in processes:
        process.start()
    barrier.wait()
    begun = time.perf_counter()
    for process in processes:
        process.join()
        if process.exitcode:
            raise RuntimeError(f"a claimant ended with status {process.exitcode}")
    return (time.perf_counter() - begun) / count


def claim_all(address: str, step: Callable[[str], bool], barrier: Barrier) -> None:
    """Take steps until no task waits."""
    opened = connection.connect(address)
    name = multiprocessing.current_process().name
    barrier.wait()
    while step(name):
        pass
    opened.close()


def claim_only(holder: str) -> bool:
    return claims.claim(holder) is not None


def claim_and_complete(holder: str) -> bool:
    row = claims.claim(holder)
    if row is not None:
        tasks.complete(Claim(row.uuid, row.claim_no, holder), "json", RESULT, [], 0.5)
    return row is not None


def work(holder: str) -> bool:
    """Claim, report and complete a task."""
    row = claims.claim(holder)
    if row is None:
        return False
    claim = Claim(row.uuid, row.claim_no, holder)
    for number in range(REPORTS):
        reports.write([Report(claim, "transcribe", number / REPORTS)], skip_disk=True)
    tasks.complete(claim, "json", RESULT, [], 0.5)
    return True


def compare_reports(address: str, rounds: int) -> Iterator[Figure]:
    """Compare reports that are written together with reports of which each has a commit of its own."""
    opened = connection.connect(address)
    opened.execute_sql("TRUNCATE task CASCADE")
    opened.execute_sql(FILL.format(rows=ROWS))
    held = []
    while (row := claims.claim("bench")) is not None:
        held.append(Claim(row.uuid, row.claim_no, "bench"))
    alone, together = [], []
    for number in range(rounds):
        begun = time.perf_counter()
        for claim in held:
            tasks.report(claim, "transcribe", number / rounds)
        alone.append((time.perf_counter() - begun) / ROWS)
        begun = time.perf_counter()
        for part in range(10):
            told = [Report(claim, "transcribe", (number + part / 10) / rounds) for claim in held]
            reports.write(told, skip_disk=True)
        together.append((time.perf_counter() - begun) / 10 / ROWS)
    opened.close()
    yield Figure("postgresql: reports a second, one by one", 1 / median(alone))
    yield Figure(f"postgresql: reports a second, {ROWS} at once", 1 / median(together))
    yield Figure("postgresql: a report, at once / alone", median(together) / median(alone), most=MOST_TOGETHER)
