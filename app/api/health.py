"""Is the web process alive, and could a task run now?"""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint
from marshmallow import Schema, fields
from werkzeug.exceptions import ServiceUnavailable

from app.ledger import worker
from app.openapi import documented_errors

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
    """Answer 200 when the ledger answers and a worker's heartbeat is fresh."""
    if not worker.fresh():
        say = f"No worker has been heard of for {worker.FRESH_SECONDS:.0f} s; start one with: python -m workers"
        raise ServiceUnavailable(say, retry_after=RETRY_SECONDS)
    return {"status": "ok"}
