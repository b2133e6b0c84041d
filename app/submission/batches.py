"""Accept a batch: store all recordings and commit all tasks, or nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import HTTPException, TooManyRequests

from app.auth import confirm_key, current_owner
from app.core.db import reuse, tasks
from app.core.db.connection import begin_write
from app.core.net.addresses import Target, parse_url
from app.core.params import FILE_URL
from app.current import get_settings, get_storage
from app.http_errors import reject
from app.submission import uploads, urls
from app.submission.accept import Order, find_sent_key, insert_task
from app.submission.admission import QUEUE_RETRY_SECONDS
from app.submission.fingerprint import combine_fingerprints, make_fingerprint

Recording = FileStorage | Target


@dataclass(frozen=True)
class Member:
    """A task to be."""

    identifier: str
    fingerprint: str
    recording: Recording


def create_batch(order: Order, recordings: Sequence[Recording]) -> str:
    """Commit one QUEUED task for each recording, or find the batch that an equal order has made.

    Returns the identifier of the batch. When this returns, the recordings are durable. Answers 422 for an URL that cannot
    be used, 429 without room in the queue for all, and 507 when the disk is full.
    """
    confirm_key()  # receiving the recordings may have taken hours
    if order.webhook is not None:
        urls.check_host(parse_url(order.webhook.url), get_settings().fetch, "webhook_url")
    members = [Member(str(uuid.uuid4()), _make_fingerprint(order, each), each) for each in recordings]
    known = _find_known(order, members)  # recordings that are not needed are not stored
    if known is not None:
        return known
    settings = get_settings()
    _require_room(len(members))
    uploads.check_space(settings.cache.path, settings.limits.min_free_mb)
    _check_hosts([each for each in recordings if isinstance(each, Target)])
    received = {m.identifier: m.recording for m in members if isinstance(m.recording, FileStorage)}
    with _discard_all_on_failure(received):
        for identifier, upload in received.items():
            uploads.store_upload(upload, get_storage(), identifier)
    # As for a single task: if the commit fails, the purge removes the files, since it may have succeeded all the same.
    placed = replace(order, batch=str(uuid.uuid4()))
    try:
        committed = _commit(placed, members)
    except HTTPException:  # refused: nothing was committed
        _discard(received)
        raise
    if committed != placed.batch:
        _discard(received)
    return committed


def _commit(order: Order, members: Sequence[Member]) -> str:
    """Insert all rows, unless an equal order was committed since it was looked for."""
    with begin_write():
        confirm_key()
        if order.key or order.reuse:
            whole = _combine(members)
            reuse.lock(whole, *([f"{order.key}"] if order.key else []))
            known = _find_known(order, members)
            if known is not None:
                return known
        for member in members:
            _insert(order, member)
        if order.key:
            # With the last task, which usually ends last: the key is deleted together with it.
            reuse.remember_key(order.key, _combine(members), members[-1].identifier)
    return str(order.batch)


def _insert(order: Order, member: Member) -> None:
    recording, stored = member.recording, order.params.to_json()
    if isinstance(recording, FileStorage):
        insert_task(order, member.identifier, member.fingerprint, uploads.file_label(recording), stored)
        return
    stored |= {FILE_URL: recording.shown}  # without the query string, which may hold a token
    insert_task(order, member.identifier, member.fingerprint, recording.label, stored, source_url=recording.url)


def _find_known(order: Order, members: Sequence[Member]) -> str | None:
    """Find the batch that an equal order has made."""
    sent = find_sent_key(order, _combine(members))
    row = tasks.get(sent) if sent is not None else None
    if row is not None:
        return row.batch
    if not order.reuse or order.webhook is not None:  # with a receiver, no task is shared
        return None
    return reuse.find_batch([member.fingerprint for member in members], get_settings().tasks.reuse_ttl)


def _make_fingerprint(order: Order, recording: Recording) -> str:
    content = uploads.read_digest(recording) if isinstance(recording, FileStorage) else recording.url
    return make_fingerprint(current_owner(), order.task_type, order.params, content, order.webhook)


def _combine(members: Sequence[Member]) -> str:
    return combine_fingerprints([member.fingerprint for member in members])


def _require_room(count: int) -> None:
    """Answer 429 unless the queue has room for ``count`` more tasks."""
    if tasks.count_queued() + count > get_settings().limits.max_queued:
        say = f"The queue has no room for {count} more tasks; try again later, or send fewer."
        raise TooManyRequests(say, retry_after=QUEUE_RETRY_SECONDS)


def _check_hosts(targets: Sequence[Target]) -> None:
    """Answer 422 for unknown or blocked hosts.

    All lookups together take no longer than that of a single URL would; the downloads check the others.
    """
    fetch, deadline = get_settings().fetch, time.monotonic() + urls.LOOKUP_SECONDS
    verdicts: dict[tuple[str, int], str | None] = {}
    for target in targets:
        if (target.host, target.port) not in verdicts:
            verdict = urls.find_host_error(target, fetch, deadline - time.monotonic())
            verdicts[target.host, target.port] = verdict
    found = [verdicts[target.host, target.port] for target in targets]
    if any(found):
        reject({FILE_URL: [f"URL {number}: {say}" for number, say in enumerate(found, 1) if say]})


@contextmanager
def _discard_all_on_failure(identifiers: Iterable[str]) -> Iterator[None]:
    """Remove the recordings of all tasks if one of them cannot be stored."""
    try:
        yield
    except BaseException:  # also a shutdown
        _discard(identifiers)
        raise


def _discard(identifiers: Iterable[str]) -> None:
    get_storage().discard(*identifiers)
