"""Is the web process alive, and could a task run now?"""

from __future__ import annotations

import json
from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import ServiceUnavailable

from app.core.db import heartbeats
from app.core.settings import Settings
from app.current import get_settings
from app.openapi import documented_errors
from app.submission.uploads import has_space

blueprint = Blueprint("Health", __name__, url_prefix="/health", description="For probes and load balancers.")

RETRY_SECONDS = 5


class Health(Schema):
    status = fields.String(metadata={"enum": ["ok"]})


@blueprint.route("/live", methods=["GET"])
@blueprint.response(200, Health, example={"status": "ok"})
def live() -> Any:
    """Answer while the web process lives."""
    return {"status": "ok"}


@blueprint.route("/ready", methods=["GET"])
@blueprint.response(200, Health, example={"status": "ok"})
@documented_errors(blueprint, 503)
def ready() -> Any:
    """Answer 200 when the database answers, a worker's heartbeat is fresh, and there is room for uploads."""
    reason = _no_worker(heartbeats.fresh()) or _no_room(get_settings())
    if reason:
        raise ServiceUnavailable(reason, retry_after=RETRY_SECONDS)
    return {"status": "ok"}


def _no_worker(workers: list[heartbeats.Worker]) -> str | None:
    """Why no task could run now; None when one could, or could soon."""
    if not workers:
        return f"No worker heartbeat for {heartbeats.FRESH_SECONDS:.0f} s; start one with: python -m workers"
    devices = [device for each in workers for device in json.loads(each.devices)]
    if not devices or any(device["state"] != "down" for device in devices):
        return None
    causes = sorted({f"{device['device']}: {device['cause']}" for device in devices})
    return f"Every device process dies before it is ready ({'; '.join(causes)}); see the worker's log."


def _no_room(settings: Settings) -> str | None:
    floor = settings.limits.min_free_mb
    return None if has_space(settings.cache.path, floor) else f"Less than {floor} MB are free for recordings."
