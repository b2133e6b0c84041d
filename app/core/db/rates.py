"""How fast the stages of tasks were, by model and kind of device.

Each completed task is added. What was measured long ago counts less and less, so that the rates follow changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from peewee import EXCLUDED, CharField, CompositeKey, DoubleField, Model, TextField

from app.core.db.connection import begin_write, database, limit_wait, skip_sync

HALF_LIFE = 1800.0  # seconds of audio after which a measurement counts half
KEPT_BY_TASK = (
    0.98  # at most this share of the earlier measurements is kept with each task, so that short ones count, too
)
LOCK_SECONDS = 0.5


class Rate(Model):
    """The fading sums of one stage: ``seconds`` of work, and the ``amount`` that was done (``work.measure_amount``).

    ``device`` is ``cpu`` or ``cuda``.
    """

    task_type = CharField(max_length=32)
    stage = CharField(max_length=32)
    model = TextField()
    device = CharField(max_length=16)
    seconds = DoubleField()
    amount = DoubleField()

    class Meta:
        database = database
        table_name = "rate"
        primary_key = CompositeKey("task_type", "stage", "model", "device")


class Key(NamedTuple):
    """What distinguishes the rates."""

    task_type: str
    stage: str
    model: str
    device: str


def add(measured: Mapping[Key, float], amount: float) -> None:
    """Add the seconds that each stage of one task took for ``amount``, which is greater than 0.

    In one order, so that supervisors on PostgreSQL cannot block each other.
    """
    kept = min(KEPT_BY_TASK, 0.5 ** (amount / HALF_LIFE))
    # It may be lost in a power cut, and must not keep the supervisor from its other work.
    with skip_sync(), limit_wait(LOCK_SECONDS), begin_write():
        for key, seconds in sorted(measured.items()):
            added = Rate.insert(**key._asdict(), seconds=seconds, amount=amount)
            added.on_conflict(
                conflict_target=(Rate.task_type, Rate.stage, Rate.model, Rate.device),
                update={
                    Rate.seconds: Rate.seconds * kept + EXCLUDED.seconds,
                    Rate.amount: Rate.amount * kept + EXCLUDED.amount,
                },
            ).execute()


def read() -> dict[Key, float]:
    """Read the seconds of work per second of audio; per task for language detections."""
    return {Key(row.task_type, row.stage, row.model, row.device): row.seconds / row.amount for row in Rate.select()}
