"""Hours of audio that each API key has used in the last 24 hours.

A trigger adds the recording of each ended task (migrations/0001_schema.py), so that deleting tasks gives nothing back.
"""

from __future__ import annotations

from peewee import CompositeKey, DoubleField, IntegerField, Model, fn

from app.core.db.connection import database, read_clock
from app.core.db.states import IN_PROGRESS
from app.core.db.tasks import Task

HOUR = 3600.0
DAY_HOURS = 24


class AudioUsage(Model):
    """Seconds of audio of the tasks that ended in one hour; ``hour`` counts from 1970."""

    owner = IntegerField()
    hour = IntegerField()
    seconds = DoubleField()

    class Meta:
        database = database
        table_name = "audio_usage"
        primary_key = CompositeKey("owner", "hour")


def find_wait(owner: int, hours: float) -> float:
    """Return the seconds until the key has used less than ``hours`` in 24 hours; 0 if it has.

    Running tasks count as soon as the length of their recording is known. Each hour counts until all of it is 24 hours
    ago.
    """
    moment = read_clock()
    first = int(moment // HOUR) - DAY_HOURS
    recent = (AudioUsage.owner == owner) & (AudioUsage.hour >= first)
    rows = list(AudioUsage.select().where(recent).order_by(AudioUsage.hour))
    running = (Task.owner == owner) & (Task.status == IN_PROGRESS)
    used = float(Task.select(fn.SUM(Task.audio_duration)).where(running).scalar() or 0.0)
    used += sum(row.seconds for row in rows)
    if used < hours * HOUR:
        return 0.0
    for row in rows:
        used -= row.seconds
        if used < hours * HOUR:
            return max(1.0, (row.hour + 1 + DAY_HOURS) * HOUR - moment)
    return HOUR  # the running tasks alone use it up
