"""The supervisors' heartbeats, with their devices."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from peewee import CharField, DoubleField, Model, TextField

from app.core.db.connection import database, now

FRESH_SECONDS = 15.0
FORGET_SECONDS = 3600.0
BROKEN = ("down", "waiting")  # states of a device that runs no task before something else changes
UNUSABLE = (*BROKEN, "requested")  # an autoscaler starts a machine for it


class Worker(Model):
    """One supervisor.

    Times are seconds since 1970 by the database's clock.
    """

    name = CharField(max_length=128, primary_key=True)
    devices = TextField(default="[]")
    started_at = DoubleField()
    heartbeat_at = DoubleField()

    class Meta:
        database = database
        table_name = "worker"


@dataclass(frozen=True)
class Devices:
    """The usable devices of one supervisor, all of one ``kind``: ``cpu`` or ``cuda``."""

    kind: str
    count: int


def record_heartbeat(name: str, devices: list[dict[str, Any]]) -> None:
    """Write a heartbeat with the state of the devices.

    A new supervisor also deletes those without a heartbeat for FORGET_SECONDS.
    """
    text = json.dumps(devices)
    if not Worker.update(devices=text, heartbeat_at=now()).where(Worker.name == name).execute():
        Worker.insert(name=name, devices=text, started_at=now(), heartbeat_at=now()).execute()
        Worker.delete().where(Worker.heartbeat_at < now() - FORGET_SECONDS).execute()


def remove_worker(name: str) -> None:
    """Delete a supervisor that stops.

    Otherwise the service would count as ready until the last heartbeat expires.
    """
    Worker.delete().where(Worker.name == name).execute()


def list_alive() -> list[Worker]:
    """List supervisors with a heartbeat in the last FRESH_SECONDS.

    A heartbeat in the future was written before the database's clock was set back.
    """
    return list(Worker.select().where(Worker.heartbeat_at.between(now() - FRESH_SECONDS, now() + FRESH_SECONDS)))


def list_devices() -> dict[str, Devices]:
    """Map the supervisors of ``list_alive`` to their devices; those without a usable one are left out."""
    found = {}
    for worker in list_alive():
        usable = [device["device"] for device in json.loads(worker.devices) if device["state"] not in UNUSABLE]
        if usable:
            found[worker.name] = Devices(usable[0].rpartition("-")[0], len(usable))
    return found
