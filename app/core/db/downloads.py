"""Tasks whose recording is still to be downloaded: QUEUED rows with a ``source_url``, which no device may claim.

A downloader holds such a row by ``holder`` and a lease, as a supervisor holds a running task. The lease is shorter, because a
download that is done twice does no harm. Whatever ends the download also forgets the URL, which may hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Case

from app.core.db.connection import now, write
from app.core.db.states import FAILED, QUEUED
from app.core.db.tasks import Task, locked, oldest, wake

LEASE_SECONDS = 15.0
STAGE = "download"
SHARE = 0.1  # of the whole task's progress


@dataclass(frozen=True)
class Held:
    """A download that ``holder`` has taken on."""

    uuid: str
    holder: str


def claim(holder: str) -> tuple[Held, str] | None:
    """Take on the oldest download that nobody does, with its URL; None when there is none."""
    left = (Task.lease_expires < now()) | (Task.lease_expires > now() + 2 * LEASE_SECONDS)  # or the clock was set back
    pending = _pending() & (Task.holder.is_null() | left)
    if oldest(pending).scalar() is None:  # a plain read: an idle look must not take the write lock
        return None
    with write():
        task_id = locked(oldest(pending))
        if task_id is None:
            return None
        lease = now() + LEASE_SECONDS
        Task.update(holder=holder, lease_expires=lease, stage=STAGE).where((Task.id == task_id) & pending).execute()
        row = Task.get_by_id(task_id)
    return Held(row.uuid, holder), str(row.source_url)


def report(held: Held, fraction: float) -> bool:
    """Write how much of the recording has come; False when the download is no longer this holder's."""
    return _changed(Task.update(progress=_highest(fraction)).where(_ours(held)))


def ready(held: Held) -> bool:
    """The recording is on disk: let a device claim the task."""
    with write():
        changed = _changed(Task.update(**_over(), progress=_highest(1.0)).where(_ours(held)))
        wake()
    return changed


def fail(held: Held, code: str, message: str) -> bool:
    """QUEUED → FAILED: the recording cannot be had."""
    failed = Task.update(**_over(), status=FAILED, error_code=code, error=message, finished_at=now())
    return _changed(failed.where(_ours(held)))


def release(holder: str) -> int:
    """Let go of all that ``holder`` has taken on, for the next one to begin at once."""
    released = Task.update(holder=None, lease_expires=None, stage=None).where(_pending() & (Task.holder == holder))
    return int(released.execute())


def release_all() -> int:
    """Let go of every download, where it is certain that nobody is at work on one."""
    return int(Task.update(holder=None, lease_expires=None, stage=None).where(_pending()).execute())


def renew(holder: str) -> set[str]:
    """Extend the leases of ``holder``'s downloads, and return which those are: one that was cancelled is not among them."""
    ours = _pending() & (Task.holder == holder)
    held = {row.uuid for row in Task.select(Task.uuid).where(ours)}
    if held:
        Task.update(lease_expires=now() + LEASE_SECONDS).where(ours).execute()
    return held


def forget() -> int:
    """Remove the URLs of tasks that ended without a downloader: cancelled while they waited."""
    rows = Task.select(Task.id, Task.status).where(Task.source_url.is_null(False))
    ended = [row.id for row in rows if row.status != QUEUED]
    return int(Task.update(source_url=None).where(Task.id.in_(ended)).execute()) if ended else 0


def _pending() -> Any:
    return (Task.status == QUEUED) & Task.source_url.is_null(False)


def _ours(held: Held) -> Any:
    return (Task.uuid == held.uuid) & (Task.holder == held.holder) & _pending()


def _over() -> dict[str, Any]:
    return {"source_url": None, "holder": None, "lease_expires": None, "stage": None}


def _highest(fraction: float) -> Any:
    progress = round(SHARE * fraction, 4)
    return Case(None, [(Task.progress < progress, progress)], Task.progress)


def _changed(update: Any) -> bool:
    return bool(update.execute() == 1)
