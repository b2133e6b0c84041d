"""Claim messages of the outbox, and write what became of them.

A deliverer holds a message by ``holder`` and a lease, as a downloader holds a download, so that two of them never send
it at the same time. Every change names the holder. After a crash, the lease expires and the message is sent again.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from app.core.db.claims import lock_first
from app.core.db.connection import begin_write, now
from app.core.db.tasks import update_one
from app.core.db.webhooks import DELIVERED, Webhook
from app.core.webhooks import Receiver


@dataclass(frozen=True)
class Delivery:
    """A message that ``holder`` has claimed.

    ``attempts`` counts those that failed.
    """

    task: str
    holder: str
    receiver: Receiver
    host: str
    body: str
    attempts: int


def claim(holder: str, lease: float, busy: Collection[str] = ()) -> Delivery | None:
    """Claim the message that has been due for the longest time, for ``lease`` seconds.

    Messages to hosts in ``busy`` are passed over. Returns None when there is none.
    """
    # A lease that ends later than any lease can was written before the database's clock was set back.
    left = (Webhook.lease_expires < now()) | (Webhook.lease_expires > now() + 2 * lease)
    # A clock that is set back must not postpone a message: one that was planned in the future is due.
    due = (Webhook.due_at <= now()) | (Webhook.planned_at > now())
    ready = Webhook.receiver.is_null(False) & due & (Webhook.holder.is_null() | left)
    if busy:
        ready &= Webhook.host.not_in(list(busy))
    oldest = Webhook.select(Webhook.id).where(ready).order_by(Webhook.due_at, Webhook.id).limit(1)
    if oldest.scalar() is None:  # a plain read: idle polling must not take the write lock
        return None
    with begin_write():
        found = lock_first(oldest)
        if found is None:
            return None
        Webhook.update(holder=holder, lease_expires=now() + lease).where((Webhook.id == found) & ready).execute()
        row = Webhook.get_by_id(found)
    return Delivery(row.task, holder, Receiver.from_json(str(row.receiver)), row.host, row.body, row.attempts)


def mark_delivered(held: Delivery) -> bool:
    """PENDING → DELIVERED.

    Returns False when ``held`` no longer holds the message.
    """
    return _change(held, status=DELIVERED, receiver=None, last_error=None)


def give_up(held: Delivery, status: str, error: str) -> bool:
    """PENDING → FAILED or DISABLED.

    Returns False when ``held`` no longer holds the message.
    """
    return _change(held, status=status, receiver=None, last_error=error)


def postpone(held: Delivery, delay: float, error: str) -> bool:
    """Send the message again in ``delay`` seconds.

    Returns False when ``held`` no longer holds the message.
    """
    return _change(held, last_error=error, planned_at=now(), due_at=now() + delay)


def release(holder: str) -> int:
    """Release the messages of ``holder``: they are sent again at once, and the attempt does not count."""
    return int(Webhook.update(holder=None, lease_expires=None).where(_is_held(holder)).execute())


def release_all() -> int:
    """Release all messages.

    Only for use while no other process can be sending them.
    """
    return int(Webhook.update(holder=None, lease_expires=None).where(Webhook.holder.is_null(False)).execute())


def _is_held(holder: str) -> Any:
    return Webhook.receiver.is_null(False) & (Webhook.holder == holder)


def _change(held: Delivery, **values: Any) -> bool:
    update = Webhook.update(**values, attempts=Webhook.attempts + 1, holder=None, lease_expires=None)
    return update_one(update.where(_is_held(held.holder) & (Webhook.task == held.task)))
