"""Tasks whose recording is still to be downloaded.

They are QUEUED rows with a ``source_url``, which no device may claim.

A downloader holds such a row by ``holder`` and a lease, as a supervisor holds a running task. The lease is shorter,
because downloading twice does no harm. The URL, which may contain a secret, is cleared when the download ends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from peewee import Case

from app.core.db.claims import lock_first, select_oldest
from app.core.db.connection import begin_write, now
from app.core.db.states import FAILED, QUEUED
from app.core.db.tasks import Task, end, ended_values, notify_listeners

LEASE_SECONDS = 15.0
STAGE = "download"
SHARE = 0.1  # of the whole task's progress


@dataclass(frozen=True)
class DownloadClaim:
    """A download that ``holder`` has claimed."""

    uuid: str
    holder: str


def claim(holder: str) -> tuple[DownloadClaim, str] | None:
    """Claim the oldest free download.

    Returns it with its URL; None when there is none.
    """
    # A lease that ends later than any lease can was written before the database's clock was set back.
    left = (Task.lease_expires < now()) | (Task.lease_expires > now() + 2 * LEASE_SECONDS)
    pending = _is_pending() & (Task.holder.is_null() | left)
    if select_oldest(pending).scalar() is None:  # a plain read: idle polling must not take the write lock
        return None
    with begin_write():
        task_id = lock_first(select_oldest(pending))
        if task_id is None:
            return None
        lease = now() + LEASE_SECONDS
        held = Task.update(holder=holder, lease_expires=lease, stage=STAGE, changes=Task.changes + 1)
        held.where((Task.id == task_id) & pending).execute()
        row = Task.get_by_id(task_id)
    return DownloadClaim(row.uuid, holder), str(row.source_url)


def report(held: DownloadClaim, fraction: float) -> bool:
    """Write the download's progress, from 0 to 1.

    Returns False when ``held`` no longer holds the download.
    """
    changed = Task.update(progress=_raise_progress(fraction), changes=Task.changes + 1)
    return _update_one(changed.where(_is_held_by(held)))


def mark_downloaded(held: DownloadClaim) -> bool:
    """Make a downloaded task available to devices.

    Returns False when ``held`` no longer holds the download.
    """
    with begin_write():
        changed = _update_one(Task.update(**_ended_values(), progress=_raise_progress(1.0)).where(_is_held_by(held)))
        notify_listeners()
    return changed


def fail(held: DownloadClaim, code: str, message: str) -> bool:
    """QUEUED → FAILED: the recording cannot be downloaded."""
    failed = Task.update(**ended_values(), source_url=None, status=FAILED, error_code=code, error=message)
    return end(held.uuid, failed.where(_is_held_by(held)))


def release(holder: str) -> int:
    """Release all downloads of ``holder``.

    Another downloader can then start at once, instead of waiting for the leases to expire.
    """
    released = Task.update(holder=None, lease_expires=None, stage=None).where(_is_pending() & (Task.holder == holder))
    return int(released.execute())


def release_all() -> int:
    """Release every download.

    Only for use while no downloader can be running.
    """
    return int(Task.update(holder=None, lease_expires=None, stage=None).where(_is_pending()).execute())


def renew(holder: str) -> set[str]:
    """Extend the leases of ``holder``'s downloads.

    Returns their uuids; cancelled ones are missing.
    """
    ours = _is_pending() & (Task.holder == holder)
    held = {row.uuid for row in Task.select(Task.uuid).where(ours)}
    if held:
        Task.update(lease_expires=now() + LEASE_SECONDS).where(ours).execute()
    return held


def clear_ended_urls() -> int:
    """Clear the URLs of tasks cancelled while waiting."""
    # A plain read first: usually there is nothing to clear, and only a write needs the write lock.
    rows = Task.select(Task.id, Task.status).where(Task.source_url.is_null(False))
    ended = [row.id for row in rows if row.status != QUEUED]
    return int(Task.update(source_url=None).where(Task.id.in_(ended)).execute()) if ended else 0


def _is_pending() -> Any:
    return (Task.status == QUEUED) & Task.source_url.is_null(False)


def _is_held_by(held: DownloadClaim) -> Any:
    return (Task.uuid == held.uuid) & (Task.holder == held.holder) & _is_pending()


def _ended_values() -> dict[str, Any]:
    return {"source_url": None, "holder": None, "lease_expires": None, "stage": None, "changes": Task.changes + 1}


def _raise_progress(fraction: float) -> Any:
    # A download that starts over must not make the task's progress fall.
    progress = round(SHARE * fraction, 4)
    return Case(None, [(Task.progress < progress, progress)], Task.progress)


def _update_one(update: Any) -> bool:
    return bool(update.execute() == 1)
