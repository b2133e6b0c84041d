"""Running totals of ended tasks, for metrics.

A trigger adds each task in the transaction that ends it (migrations/0001_schema.py), whichever function that is. Deleting
rows changes nothing here, so the counters never fall.
"""

from __future__ import annotations

from peewee import CharField, CompositeKey, DoubleField, IntegerField, Model

from app.core.db.connection import database
from app.core.db.states import QUEUED
from app.core.db.tasks import Task

# Upper bounds of the histograms' buckets, as in the trigger; it also writes infinity.
BOUNDS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0)


class TaskTotal(Model):
    """The tasks that ended alike.

    ``wait_le`` and ``run_le`` are the bounds of their buckets, or 0 for tasks that never started. A task that was deleted
    before its end counts as CANCELLED.
    """

    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    error_code = CharField(max_length=64)
    wait_le = DoubleField()
    run_le = DoubleField()
    tasks = IntegerField()
    wait_seconds = DoubleField()
    run_seconds = DoubleField()
    audio_seconds = DoubleField()

    class Meta:
        database = database
        table_name = "task_total"
        primary_key = CompositeKey("task_type", "status", "error_code", "wait_le", "run_le")


def read() -> list[TaskTotal]:
    """Read all totals."""
    return list(TaskTotal.select())


def count_tasks(task_type: str, status: str) -> int:
    """Count the tasks of one kind that wait or run, from an index alone."""
    return int(Task.select().where((Task.task_type == task_type) & (Task.status == status)).count())


def find_oldest_queued() -> float | None:
    """Return when the oldest waiting task was accepted."""
    oldest: float | None = Task.select(Task.created_at).where(Task.status == QUEUED).order_by(Task.id).limit(1).scalar()
    return oldest
