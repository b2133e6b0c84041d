"""Claims, completions and reports of several supervisors at once, on PostgreSQL with a disk that is waited for.

pgbench sends the statements that the functions of app/core/db send: on a machine with few cores, as many Python processes
would measure only each other.
"""

from __future__ import annotations

import logging
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from app.core.db import claims, connection, reports, tasks
from app.core.db.reports import Report
from app.core.db.tasks import Claim, Task
from bench.figures import Figure
from bench.results import RESULT
from tests.postgres import Postgres

CONNECTIONS = (1, 4, 16)
TASKS, ROUNDS, ROWS = 4000, 3, 100
HOLDER = "bench"
SAMPLE_ID, SAMPLE_UUID = 987_654_321, "86bf091c-17e9-4293-9839-95f53f70653e"
FILL = """
INSERT INTO task (uuid, task_type, status, file_name, params, work, warnings, progress, claim_no, crashes, lost_nodes, lane,
                  changes, speaker_names, created_at)
SELECT gen_random_uuid()::text, 'transcription', 'QUEUED', 'a.wav', '{{"beam_size": 5}}', '[]', '[]', 0, 0, 0, 0, 1,
       0, '{{}}', 1e9
FROM generate_series(1, {rows})
"""
# The time of a step with 16 connections / with one. They share the wait for the disk, unless they hold each other up: then
# it is 1 or more.
MOST_CLAIMS, MOST_COMPLETIONS = 0.6, 0.5
MOST_TOGETHER = 0.17  # time of a report in a statement with 99 others / in one of its own


def measure(server: Postgres, quick: bool) -> Iterator[Figure]:
    count, rounds = (TASKS // 20, 1) if quick else (TASKS, ROUNDS)
    address = server.database("claimants")
    claiming, completing = record_statements(address)
    for name, statements, most in (
        ("claims", claiming, MOST_CLAIMS),
        ("claims and completions", claiming + completing, MOST_COMPLETIONS),
    ):
        taken = [
            {number: time_step(server, address, statements, number, count) for number in CONNECTIONS}
            for _ in range(rounds)
        ]
        seconds = {number: median(each[number] for each in taken) for number in CONNECTIONS}
        for number, each in seconds.items():
            yield Figure(f"postgresql: {name} a second, {number} at once", 1 / each)
        yield Figure(f"postgresql: {name}, 16 at once / 1", seconds[16] / seconds[1], most=most)
    yield from compare_reports(address, rounds)


def claim() -> Claim:
    row = claims.claim(HOLDER)
    assert row is not None
    return Claim(row.uuid, row.claim_no, HOLDER)


def record_statements(address: str) -> tuple[str, str]:
    """Claim and complete a task; return the statements of both as scripts of pgbench, for any task."""
    opened = connection.connect(address)
    fill(1)
    Task.update(id=SAMPLE_ID, uuid=SAMPLE_UUID).execute()
    recorder = Recorder()
    logger = logging.getLogger("peewee")
    level, propagate = logger.level, logger.propagate
    logger.addHandler(recorder)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False  # the statements are not for the log
    try:
        held = claim()
        look, *claiming = recorder.take()
        tasks.complete(held, "json", RESULT, [], 0.5)
        completing = recorder.take()
    finally:
        logger.removeHandler(recorder)
        logger.setLevel(level)
        logger.propagate = propagate
    cursor = opened.connection().cursor()

    def write(statement: tuple[str, Any]) -> str:
        text = cursor.mogrify(*statement).decode().replace("\n", " ").rstrip(";")
        text = text.replace(str(SAMPLE_ID), ":id").replace(SAMPLE_UUID, ":uuid")
        # what finds a task, or reads the one that is claimed, sets the variables of the others
        sets = ("FOR UPDATE" in text and "crashes >" not in text) or re.match('SELECT .*"uuid".*:id', text)
        return f"{text} \\gset" if sets else f"{text};"

    scripts = (
        [write(look)],
        ["BEGIN;", *map(write, claiming), "COMMIT;"],
        ["BEGIN;", *map(write, completing), "COMMIT;"],
    )
    opened.close()
    first, second, third = ("\n".join(lines) + "\n" for lines in scripts)
    return first + second, third


class Recorder(logging.Handler):
    """Keeps the statements that peewee logs."""

    def __init__(self) -> None:
        super().__init__()
        self.statements: list[tuple[str, Any]] = []

    def take(self) -> list[tuple[str, Any]]:
        """Return the statements since the last call."""
        taken, self.statements = self.statements, []
        return taken

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.msg, tuple)
        self.statements.append(record.msg)


def fill(rows: int) -> None:
    connection.database.execute_sql("TRUNCATE task CASCADE")
    connection.database.execute_sql(FILL.format(rows=rows))


def time_step(server: Postgres, address: str, statements: str, connections: int, count: int) -> float:
    """Return the seconds per task that so many connections take for ``count`` tasks together."""
    opened = connection.connect(address)
    fill(count + connections)
    opened.close()
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "script.sql"
        script.write_text(statements)
        each = max(1, count // connections)
        command = [str(server.programs / "pgbench"), "--no-vacuum", f"--client={connections}", "--jobs=2"]
        command += [f"--transactions={each}", f"--file={script}", address]
        done = subprocess.run(command, capture_output=True, text=True)
    rate = re.search(r"tps = ([\d.]+) \(without", done.stdout)
    processed = re.search(r"actually processed: (\d+)/", done.stdout)
    if rate is None or processed is None or int(processed[1]) != each * connections:
        raise RuntimeError(f"pgbench has not run all transactions: {done.stdout}{done.stderr}")
    return 1 / float(rate[1])


def compare_reports(address: str, rounds: int) -> Iterator[Figure]:
    """Compare reports that are written together with reports of which each has a commit of its own."""
    opened = connection.connect(address)
    fill(ROWS)
    held = [claim() for _ in range(ROWS)]
    alone, together = [], []
    for number in range(rounds):
        begun = time.perf_counter()
        for each in held:
            tasks.report(each, "transcribe", number / rounds)
        alone.append((time.perf_counter() - begun) / ROWS)
        begun = time.perf_counter()
        for part in range(10):
            told = [Report(each, "transcribe", (number + part / 10) / rounds) for each in held]
            reports.write(told, skip_disk=True)
        together.append((time.perf_counter() - begun) / 10 / ROWS)
    opened.close()
    yield Figure("postgresql: reports a second, one by one", 1 / median(alone))
    yield Figure(f"postgresql: reports a second, {ROWS} at once", 1 / median(together))
    yield Figure("postgresql: a report, at once / alone", median(together) / median(alone), most=MOST_TOGETHER)
