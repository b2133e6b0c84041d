"""POST /batch: queue a task for each of several recordings."""

from __future__ import annotations

import json

from flask import Response, current_app, request, url_for
from flask.typing import ResponseReturnValue

from app.api.batches import describe_batch, find_batch
from app.api.preferences import choose_wait
from app.core.webhooks import Receiver
from app.openapi import document_batch
from app.schemas.batch import SUBMITTED_BATCH_EXAMPLE, BatchOptions, BatchOptionsSchema, SubmittedBatch
from app.schemas.transcription import TranscriptionParameters
from app.submission.accept import Order
from app.submission.admission import release_upload_thread
from app.submission.batch_parser import BatchBlueprint, BatchSubmission
from app.submission.batches import create_batch
from app.submission.kinds import KINDS
from app.submission.native import describe_unshared, read_idempotency_key
from app.waiting import apply_preference, may_wait, wait_until_batch_ended

blueprint = BatchBlueprint("Batch", __name__, description="Several recordings with the same parameters.")


@blueprint.route("/batch", methods=["POST"])
@blueprint.arguments(BatchOptionsSchema, location="query")
@blueprint.arguments(TranscriptionParameters, location="query")
@document_batch(blueprint, SubmittedBatch, SUBMITTED_BATCH_EXAMPLE)
def submit_batch(options: BatchOptions, submission: BatchSubmission) -> ResponseReturnValue:
    """Queue one task for each recording.

    Either all recordings are accepted, or none.
    """
    params, warnings = KINDS[options.task_type].prepare(submission.params)
    order = Order(
        options.task_type,
        params,
        tuple(describe_unshared(options) + warnings),
        reuse=options.reuse,
        key=read_idempotency_key(),
        webhook=Receiver(options.webhook_url) if options.webhook_url else None,
        lane=KINDS[options.task_type].lane,
    )
    identifier = create_batch(order, submission.recordings)
    return answer_batch(identifier, choose_wait(request, options.wait))


def answer_batch(identifier: str, asked: int | None) -> Response:
    """Answer 201, at once or after ``asked`` seconds if a thread for waiting is free."""
    wait = asked if asked is not None and may_wait() else None
    if wait is not None:
        release_upload_thread()
        wait_until_batch_ended(identifier, wait)
    rows = find_batch(identifier)
    say = f"{len(rows)} {rows[0].task_type} task{'s have' if len(rows) > 1 else ' has'} queued"
    if wait is None:
        lines = [{"identifier": row.uuid, "file_name": row.file_name} for row in rows]
        body = {"identifier": identifier, "status": "QUEUED", "message": say, "tasks": lines}
    else:
        described = describe_batch(identifier, rows)
        body = {"identifier": identifier, "status": described["status"], "message": say} | described
    response = current_app.response_class(json.dumps(body, allow_nan=False) + "\n", 201, mimetype="application/json")
    response.headers["Location"] = url_for("Batches.get_batch", identifier=identifier)
    return apply_preference(response, wait)
