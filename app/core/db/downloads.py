"""Tasks whose recording is still to be downloaded: QUEUED rows with a ``source_url``, which no device may claim.

A downloader holds such a row by ``holder`` and a lease, as a supervisor holds a running task. The lease is shorter,
because downloading twice does no harm. The URL, which may contain a secret, is cleared when the download ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Case

from app.core.db.connection import begin_write, now
from app.core.db.states import FAILED, QUEUED
from app.core.db.tasks import Task, lock_first, notify_listeners, select_oldest

LEASE_SECONDS = 15.0
STAGE = "download"
SHARE = 0.1  # of the whole task's progress


@dataclass(frozen=True)
class DownloadClaim:
    """A download that ``holder`` has claimed."""

    uuid: str
    holder: str


def claim(holder: str) -> tuple[DownloadClaim, str] | None:
    """Claim the oldest free download and return it with its URL; None when there is none."""
    left = (Task.lease_expires < now()) | (Task.lease_expires > now() + 2 * LEASE_SECONDS)  # or the clock was set back
    pending = _pending() & (Task.holder.is_null() | left)
    if select_oldest(pending).scalar() is None:  # A plain read: idle polling must not take the write lock.
        return None
    with begin_write():
        task_id = lock_first(select_oldest(pending))
        if task_id is None:
            return None
        lease = now() + LEASE_SECONDS
        Task.update(holder=holder, lease_expires=lease, stage=STAGE).where((Task.id == task_id) & pending).execute()
        row = Task.get_by_id(task_id)
    return DownloadClaim(row.uuid, holder), str(row.source_url)


def report(held: DownloadClaim, fraction: float) -> bool:
    """Write the download's progress (0–1); False when it is no longer this holder's."""
    return _changed(Task.update(progress=_highest(fraction)).where(_ours(held)))


def mark_downloaded(held: DownloadClaim) -> bool:
    """Let a device claim the task, now that its recording is stored."""
    with begin_write():
        changed = _changed(Task.update(**_over(), progress=_highest(1.0)).where(_ours(held)))
        notify_listeners()
    return changed


def fail(held: DownloadClaim, code: str, message: str) -> bool:
    """QUEUED → FAILED: the recording cannot be downloaded."""
    failed = Task.update(**_over(), status=FAILED, error_code=code, error=message, finished_at=now())
    return _changed(failed.where(_ours(held)))


def release(holder: str) -> int:
    """Release all downloads of ``holder``, so that another downloader can start at once."""
    released = Task.update(holder=None, lease_expires=None, stage=None).where(_pending() & (Task.holder == holder))
    return int(released.execute())


def release_all() -> int:
    """Release every download. Only where no downloader can be running."""
    return int(Task.update(holder=None, lease_expires=None, stage=None).where(_pending()).execute())


def renew(holder: str) -> set[str]:
    """Extend the leases of ``holder``'s downloads and return their uuids; cancelled ones are missing."""
    ours = _pending() & (Task.holder == holder)
    held = {row.uuid for row in Task.select(Task.uuid).where(ours)}
    if held:
        Task.update(lease_expires=now() + LEASE_SECONDS).where(ours).execute()
    return held


def clear_ended_urls() -> int:
    """Clear the URLs of tasks that were cancelled while they waited."""
    rows = Task.select(Task.id, Task.status).where(Task.source_url.is_null(False))
    ended = [row.id for row in rows if row.status != QUEUED]
    return int(Task.update(source_url=None).where(Task.id.in_(ended)).execute()) if ended else 0


def _pending() -> Any:
    return (Task.status == QUEUED) & Task.source_url.is_null(False)


def _ours(held: DownloadClaim) -> Any:
    return (Task.uuid == held.uuid) & (Task.holder == held.holder) & _pending()


def _over() -> dict[str, Any]:
    return {"source_url": None, "holder": None, "lease_expires": None, "stage": None}


def _highest(fraction: float) -> Any:
    progress = round(SHARE * fraction, 4)
    return Case(None, [(Task.progress < progress, progress)], Task.progress)


def _changed(update: Any) -> bool:
    return bool(update.execute() == 1)
