"""The outbox: messages about ended tasks, until they are delivered and as long as their task is kept.

A message is inserted in the transaction that ends its task (``tasks.end``), so that neither exists without the other.
deliveries.py moves it on. It is deleted with its task; but one that is still to be delivered stays when the purge deletes
the task.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from peewee import AutoField, CharField, DoubleField, IntegerField, Model, TextField

from app.core.db.connection import database, now
from app.core.db.states import TERMINAL
from app.core.webhooks import Receiver, write_message

if TYPE_CHECKING:
    from app.core.db.tasks import Task

PENDING = "PENDING"  # to be sent, or sent again
DELIVERED = "DELIVERED"
DISABLED = "DISABLED"  # the receiver answered 410 Gone
FAILED = "FAILED"
STATUSES = (PENDING, DELIVERED, DISABLED, FAILED)
ANNOUNCED = "{}"  # in the task's row, once its message is in the outbox: the URL may hold a secret


class Webhook(Model):
    """One message.

    Times are seconds since 1970 by the database's clock. ``task`` is the task's uuid, ``receiver`` JSON text; it is
    set only while the message is PENDING.
    """

    id = AutoField()
    task = CharField(max_length=36, unique=True)
    receiver = TextField(null=True)
    host = CharField(max_length=255)
    body = TextField()
    status = CharField(max_length=16, default=PENDING)
    attempts = IntegerField(default=0)
    last_error = TextField(null=True)
    planned_at = DoubleField()  # when ``due_at`` was set
    due_at = DoubleField()
    holder = CharField(max_length=128, null=True)  # the process that is sending it
    lease_expires = DoubleField(null=True)

    class Meta:
        database = database
        table_name = "webhook"


def add(row: Task) -> None:
    """Insert the message about a task that has just ended.

    Part of the transaction that ends it.
    """
    receiver = Receiver.from_json(str(row.webhook))
    Webhook.insert(
        task=row.uuid,
        receiver=receiver.to_json(),
        host=urlsplit(receiver.url).hostname or "",
        body=write_message(receiver.form, row.__data__),
        planned_at=now(),
        due_at=now(),
    ).execute()


def describe(rows: Collection[Task]) -> dict[str, dict[str, Any]]:
    """Map the tasks that have a receiver to what clients see of their message.

    The keys are uuids. A message exists only once its task has ended.
    """
    announced = [row.uuid for row in rows if row.webhook is not None and row.status in TERMINAL]
    columns = (Webhook.task, Webhook.status, Webhook.attempts, Webhook.last_error)
    found = (
        {each.task: each for each in Webhook.select(*columns).where(Webhook.task.in_(announced))} if announced else {}
    )
    waiting = Webhook(status=PENDING, attempts=0, last_error=None)
    return {row.uuid: _describe(found.get(row.uuid, waiting)) for row in rows if row.webhook is not None}


def remove(uuid: str) -> None:
    """Delete the message of a task, whether it is delivered or not."""
    Webhook.delete().where(Webhook.task == uuid).execute()


def remove_ended(uuid: str) -> None:
    """Delete the message of a task, unless it is still to be delivered."""
    Webhook.delete().where((Webhook.task == uuid) & (Webhook.status != PENDING)).execute()


def _describe(message: Webhook) -> dict[str, Any]:
    return {"status": message.status, "attempts": message.attempts, "last_error": message.last_error}
