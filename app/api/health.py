"""Liveness and readiness checks."""

from __future__ import annotations

import json
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import ServiceUnavailable

from app.core.db import heartbeats
from app.core.settings import Settings
from app.core.storage.space import MEBIBYTE, has_space
from app.current import get_settings, get_storage
from app.openapi import document_errors

blueprint = Blueprint("Health", __name__, url_prefix="/health", description="For probes and load balancers.")

RETRY_SECONDS = 5


class Health(Schema):
    status = fields.String(metadata={"enum": ["ok"]})


@blueprint.route("", methods=["GET"])
@blueprint.response(200, Health, example={"status": "ok"})
def health() -> Any:
    """Check that the web process is alive, where clients of other services look."""
    return {"status": "ok"}


@blueprint.route("/live", methods=["GET"])
@blueprint.response(200, Health, example={"status": "ok"})
def live() -> Any:
    """Check that the web process is alive."""
    return {"status": "ok"}


@blueprint.route("/ready", methods=["GET"])
@blueprint.response(200, Health, example={"status": "ok"})
@document_errors(blueprint, 503)
def ready() -> Any:
    """Check that tasks can run.

    The database and the storage answer, a worker is alive and there is disk space.
    """
    reason = (
        _find_worker_problem(heartbeats.list_alive())
        or _find_space_problem(get_settings())
        or get_storage().find_outage()
    )
    if reason:
        raise ServiceUnavailable(reason, retry_after=RETRY_SECONDS)
    return {"status": "ok"}


def _find_worker_problem(workers: list[heartbeats.Worker]) -> str | None:
    """Return why no task can run now, or None."""
    if not workers:
        return f"No worker heartbeat for {heartbeats.FRESH_SECONDS:.0f} s; start one with: python -m workers"
    devices = [device for each in workers for device in json.loads(each.devices)]
    # One usable device is enough. A supervisor without devices is starting, or an autoscaler starts a machine with the
    # next task.
    if not devices or any(device["state"] not in heartbeats.BROKEN for device in devices):
        return None
    causes = sorted({f"{device['device']}: {device['cause']}" for device in devices})
    return f"No device process can start ({'; '.join(causes)}); see the worker's log."


def _find_space_problem(settings: Settings) -> str | None:
    floor = settings.limits.min_free_mb
    return (
        None
        if has_space(settings.cache.path, floor * MEBIBYTE)
        else f"Less than {floor} MB of disk space is free (limits.min_free_mb); free some space."
    )
