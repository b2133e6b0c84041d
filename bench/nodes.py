"""Compare a slot of a Ray cluster with a local one, and two and three nodes with one.

The tasks only sleep, so that the cores of this machine do not limit three nodes. Needs PostgreSQL and Ray.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from peewee import fn

from app.core.db import connection, heartbeats, tasks
from app.core.db.connection import database
from app.core.db.states import COMPLETED, IN_PROGRESS, QUEUED
from app.core.db.tasks import Task
from bench import places
from bench.figures import Figure
from bench.sleeping import SECONDS
from tests.postgres import Postgres, find_postgres
from tests.ray_nodes import ray_head, ray_node
from tests.service import ROOT, until, write_config

NODES = (1, 2, 3)
TASKS, QUICK_TASKS = 10, 4  # for each slot
ROUNDS, QUICK_ROUNDS = 5, 1
LEAST_THROUGHPUT = 0.95
MOST_OVERHEAD = 20.0  # ms


def measure(quick: bool) -> Iterator[Figure]:
    count, rounds = (QUICK_TASKS, QUICK_ROUNDS) if quick else (TASKS, ROUNDS)
    programs = find_postgres()
    if programs is None or importlib.util.find_spec("ray") is None:
        print("nodes: left out, needs PostgreSQL and Ray (requirements-cluster.txt)", file=sys.stderr)
        return
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Postgres(programs, durable=True))
        folder = stack.enter_context(places.folder())
        address = stack.enter_context(ray_head(folder / "head.log", resources="{}"))
        nodes = stack.enter_context(contextlib.ExitStack())  # they end after the supervisor
        ray = stack.enter_context(supervisor(folder / "ray", server, "ray", address))
        nodes.enter_context(ray_node(address, folder / "node-1.log"))
        wait_for_slots(ray, 1)
        with supervisor(folder / "local", server, "local") as local:
            wait_for_slots(local, 1)
            for db_url in (local, ray):
                time_tasks(db_url, 1)  # the first task takes longer
            pairs = [(time_tasks(local, count), time_tasks(ray, count)) for _ in range(rounds)]
        yield from compare_slots(pairs)
        seconds = {1: median(cluster for _, cluster in pairs)}
        for number in NODES[1:]:
            nodes.enter_context(ray_node(address, folder / f"node-{number}.log"))
            wait_for_slots(ray, number)
            time_tasks(ray, number)
            seconds[number] = median(time_tasks(ray, count * number) for _ in range(rounds))
    for number in NODES:
        yield Figure(f"tasks a second, nodes: {number}", 1 / seconds[number])
    for number in NODES[1:]:
        linear = seconds[1] / number
        yield Figure(
            f"throughput of {number} nodes / {number} times one", linear / seconds[number], least=LEAST_THROUGHPUT
        )


def compare_slots(pairs: list[tuple[float, float]]) -> Iterator[Figure]:
    """Compare the seconds of a task on a local slot with those on Ray, measured in turns."""
    for name, taken in zip(("local slot", "Ray slot"), zip(*pairs, strict=True), strict=True):
        yield Figure(f"{name}: a task beyond its sleep", 1000 * (median(taken) - SECONDS), "ms")
    more = median(cluster - local for local, cluster in pairs)
    yield Figure("a task on Ray takes longer by", 1000 * more, "ms", most=MOST_OVERHEAD)


@contextlib.contextmanager
def supervisor(folder: Path, server: Postgres, engine: str, address: str = "auto") -> Iterator[str]:
    """Run a supervisor of sleeping tasks in a process of its own; the value is the address of its database."""
    folder.mkdir()
    db_url = server.database(engine)
    limits = {"engine": engine, "device": "cpu", "cpu_slots": 1, "tasks_per_device": 1}
    config = write_config(folder, workers=limits, ray={"address": address})
    environment = {**os.environ, "CONFIG": str(config), "CACHE_DIR": str(folder / "cache"), "DB_URL": db_url}
    command = [sys.executable, "-m", "bench.sleeping_supervisor"]
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield db_url
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_slots(db_url: str, count: int) -> None:
    """Wait until the supervisor has so many idle slots."""
    opened = connection.connect(db_url)
    until(lambda: count_idle() == count, f"{count} slots are idle")
    opened.close()


def time_tasks(db_url: str, count: int) -> float:
    """Have the idle slots run ``count`` tasks.

    Return the seconds from the first claim to the end of the last task, by the database's clock, for each task.
    """
    opened = connection.connect(db_url)
    batch = str(uuid.uuid4())
    with database.atomic():  # the supervisor sees all of them at once
        for _ in range(count):
            tasks.submit(str(uuid.uuid4()), "vad", {}, "a.wav", [], batch=batch)
    ours = Task.select().where(Task.batch == batch)
    until(lambda: not ours.where(Task.status.in_([QUEUED, IN_PROGRESS])).exists(), "all tasks have ended", every=0.2)
    failed = ours.where((Task.status != COMPLETED) | (Task.claim_no != 1)).count()
    first, last = ours.select(fn.MIN(Task.started_at), fn.MAX(Task.finished_at)).scalar(as_tuple=True)
    opened.close()
    if failed:
        raise RuntimeError(f"{failed} tasks were not completed by their first claim")
    return float(last - first) / count


def count_idle() -> int:
    devices = [device for worker in heartbeats.list_alive() for device in json.loads(worker.devices)]
    return sum(device["state"] == "idle" for device in devices)
