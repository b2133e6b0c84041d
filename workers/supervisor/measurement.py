"""Write how long the stages of a completed task took, for the estimates of later ones."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from app.core.db import heartbeats, rates, tasks
from app.core.db.rates import Key
from app.core.db.tasks import Claim
from app.core.work import measure_amount, read_steps

log = logging.getLogger(__name__)


def record_stages(claim: Claim, stages: Mapping[str, float]) -> None:
    """Add the seconds of each stage to the rates; log an error, since the task itself is complete.

    A planned stage that did not run took no time, such as an alignment without a model.
    """
    if not stages:
        return
    try:
        _add_stages(claim, stages)
    except Exception:
        log.exception("task %s: the times of its stages cannot be written", claim.uuid)


def _add_stages(claim: Claim, stages: Mapping[str, float]) -> None:
    row = tasks.get(claim.uuid)
    amount = measure_amount(row.task_type, row.audio_duration) if row is not None else None
    devices = heartbeats.list_devices().get(claim.holder)
    if row is None or not amount or devices is None:
        return
    steps = read_steps(row.work)
    rates.add(
        {Key(row.task_type, step.stage, step.model, devices.kind): stages.get(step.stage, 0.0) for step in steps},
        amount,
    )
