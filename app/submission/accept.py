"""Accept a task: store its recording, commit its row."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException

from app.auth import confirm_key, current_owner
from app.core.db import reuse, tasks, transcripts, waiters
from app.core.db.connection import begin_write, now
from app.core.db.reuse import KeyScope
from app.core.net.addresses import Target, parse_url
from app.core.params import FILE_URL, Params
from app.core.storage.paths import task_folder
from app.core.webhooks import Receiver
from app.core.work import plan_steps, write_steps
from app.current import get_settings
from app.http_errors import reject
from app.submission import uploads, urls
from app.submission.earlier import EarlierRecording
from app.submission.fingerprint import make_fingerprint
from app.submission.kept_uploads import KeptUpload
from app.submission.key_limits import check_key_queue


@dataclass(frozen=True)
class Order:
    """What a client asks for, beside the recording.

    ``reuse``: share the task of an equal order. ``key``: the Idempotency-Key of the request. ``waited``: cancel the task
    when its client has gone. ``webhook``: who is informed of its end; None for the receiver of config.yaml, if any.
    ``facade``: whose contract the client speaks. ``transcript``: what is to be aligned, as JSON text.
    """

    task_type: str
    params: Params
    warnings: tuple[str, ...] = ()
    facade: str | None = None
    reuse: bool = False
    key: KeyScope | None = None
    waited: bool = False
    webhook: Receiver | None = None
    batch: str | None = None
    lane: int = tasks.USUAL_LANE
    transcript: str | None = None


@dataclass(frozen=True)
class Accepted:
    """The task of an order; ``is_new`` unless it existed before."""

    identifier: str
    is_new: bool


def create_task(order: Order, recording: FileStorage | KeptUpload | EarlierRecording | Target) -> Accepted:
    """Commit a QUEUED task for an upload, a URL or a recording on disk, or find the one that exists.

    When this returns, the recording is durable. Answers 422 for a URL that cannot be used, or an idempotency key that was
    sent with another order, 401 when the API key was revoked meanwhile, 429 when it has too many waiting tasks, and 507 when
    the disk is full.
    """
    confirm_key()  # receiving the recording may have taken hours
    if order.webhook is not None:
        urls.check_host(parse_url(order.webhook.url), get_settings().fetch, "webhook_url")
    if isinstance(recording, KeptUpload | EarlierRecording):
        return _create_from_disk(order, recording)
    return _create_from_upload(order, recording) if isinstance(recording, FileStorage) else _create(order, recording)


def _create_from_upload(order: Order, upload: FileStorage) -> Accepted:
    cache, identifier = get_settings().cache.path, str(uuid.uuid4())
    fingerprint = _make_fingerprint(order, uploads.read_digest(upload))
    known = _find_known(order, fingerprint)  # a copy that is not needed is not stored
    if known is not None:
        return known
    folder = task_folder(cache, identifier)
    store_recording(upload, folder)
    return _commit_folder(order, folder, fingerprint, uploads.file_label(upload), order.params.to_json())


def _create_from_disk(order: Order, recording: KeptUpload | EarlierRecording) -> Accepted:
    cache, identifier = get_settings().cache.path, str(uuid.uuid4())
    fingerprint = _make_fingerprint(order, recording.digest)
    known = _find_known(order, fingerprint)
    if known is not None:
        return known
    folder = task_folder(cache, identifier)
    recording.link(folder)
    stored = order.params.to_json() | ({FILE_URL: recording.shown} if recording.shown else {})
    return _commit_folder(order, folder, fingerprint, recording.label, stored)


def _create(order: Order, link: Target) -> Accepted:
    settings, identifier = get_settings(), str(uuid.uuid4())
    fingerprint = _make_fingerprint(order, link.url)
    known = _find_known(order, fingerprint)
    if known is not None:
        return known
    uploads.check_space(settings.cache.path, settings.limits.min_free_mb)
    urls.check_host(link, settings.fetch)
    stored = order.params.to_json() | {FILE_URL: link.shown}  # without the query string, which may hold a token
    return _commit(order, identifier, fingerprint, link.label, stored, source_url=link.url)


def _commit_folder(order: Order, folder: Path, fingerprint: str, label: str, stored: dict[str, Any]) -> Accepted:
    """Commit the task whose recording is in ``folder``, or remove the folder if it is not needed."""
    # Keep the folder if the commit fails: it may have succeeded all the same. The purge removes folders without a row.
    try:
        accepted = _commit(order, folder.name, fingerprint, label, stored)
    except HTTPException:  # refused: nothing was committed
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if not accepted.is_new:
        shutil.rmtree(folder, ignore_errors=True)
    return accepted


def _commit(
    order: Order, identifier: str, fingerprint: str, label: str, stored: dict[str, Any], **columns: Any
) -> Accepted:
    """Insert the row, unless an equal order was committed since it was looked for."""
    with begin_write():
        confirm_key()
        if order.key or order.reuse:
            reuse.lock(fingerprint, *([f"{order.key}"] if order.key else []))
            known = _find_known(order, fingerprint)
            if known is not None:
                return known
        insert_task(order, identifier, fingerprint, label, stored, **columns)
        if order.key:
            reuse.remember_key(order.key, fingerprint, identifier)
    return Accepted(identifier, is_new=True)


def insert_task(
    order: Order, identifier: str, fingerprint: str, label: str, stored: dict[str, Any], **columns: Any
) -> None:
    """Insert the row of a task, and its transcript if it has one. Call it in a transaction.

    ``stored``: the parameters as GET /task shows them. ``columns``: further ones of the row.
    """
    check_key_queue()
    tasks.submit(
        identifier,
        order.task_type,
        stored,
        label,
        list(order.warnings),
        work=write_steps(plan_steps(order.params)),
        fingerprint=fingerprint,
        owner=current_owner(),
        facade=order.facade,
        lane=order.lane,
        batch=order.batch,
        webhook=_choose_receiver(order),
        **({"waited_at": now()} if order.waited else {}),
        **columns,
    )
    if order.transcript is not None:
        transcripts.store(identifier, order.transcript)


def _make_fingerprint(order: Order, recording: str) -> str:
    return make_fingerprint(current_owner(), order.task_type, order.params, recording, order.webhook)


def _choose_receiver(order: Order) -> str | None:
    settings = get_settings().webhooks
    default = Receiver(settings.url) if settings.enabled and settings.url else None
    receiver = order.webhook or default
    return receiver.to_json() if receiver is not None else None


def find_sent_key(order: Order, fingerprint: str) -> str | None:
    """Return the task that was made with the order's idempotency key; None for a new key.

    Answers 422 if it was made from something else.
    """
    sent = reuse.find_key(order.key) if order.key else None
    if sent is not None and sent.fingerprint != fingerprint:
        reject({"Idempotency-Key": ["Was sent with another recording or other parameters; use a new key."]})
    return sent.task if sent is not None else None


def _find_known(order: Order, fingerprint: str) -> Accepted | None:
    """Find the task that an equal order has made."""
    sent = find_sent_key(order, fingerprint)
    # With a receiver, no task is shared: that of an ended one was informed already.
    may_share = order.reuse and order.webhook is None
    shared = reuse.find_task(fingerprint, get_settings().tasks.reuse_ttl) if may_share else None
    known = sent if sent is not None else shared
    if known is None:
        return None
    # A client that does not wait must get its result, even if those who do have gone.
    waiters.renew(known) if order.waited else waiters.keep_task(known)
    return Accepted(known, is_new=False)


def store_recording(upload: FileStorage, folder: Path) -> None:
    """Store an upload durably, or nothing of it."""
    try:
        uploads.store_upload(upload, folder)
    except BaseException:  # also a shutdown: no folder with half a recording may stay
        shutil.rmtree(folder, ignore_errors=True)
        raise
