"""Each way to end a task puts its message into the outbox, in the same transaction."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable

import pytest
from peewee import OperationalError

from app.core.db import deliveries, downloads, leases, retention, tasks, webhooks
from app.core.db.connection import database
from app.core.db.states import MAX_ATTEMPTS, QUEUED, TERMINAL
from app.core.db.tasks import Task
from app.core.db.webhooks import ANNOUNCED, Webhook
from app.core.webhooks import Receiver
from tests.app.rows import PARAMS, claimed, row

pytestmark = pytest.mark.usefixtures("open_database")

URL = "https://user.example/hook?token=secret"


def submitted(source_url: str | None = None, url: str = URL) -> str:
    identifier = str(uuid.uuid4())
    webhook = Receiver(url).to_json() if url else None
    tasks.submit(identifier, "transcription", PARAMS.to_json(), "a", [], source_url=source_url, webhook=webhook)
    return identifier


def complete() -> str:
    identifier = submitted()
    assert tasks.complete(claimed(), "json", "[]", [], 1.0, language="en", audio_duration=2.0)
    return identifier


def fail() -> str:
    identifier = submitted()
    assert tasks.fail(claimed(), "no_audio", "There is no audio.", [], 1.0)
    return identifier


def cancel_waiting() -> str:
    identifier = submitted()
    assert tasks.cancel(identifier)
    return identifier


def cancel_running() -> str:
    identifier = submitted()
    claimed()
    assert tasks.cancel(identifier)
    return identifier


def crash_too_often() -> str:
    identifier = submitted()
    for number in range(MAX_ATTEMPTS):
        assert leases.retry_or_fail(claimed(), "worker_crashed", "Crashed.", 0.0)
        assert (Webhook.select().count() == 1) == (number == MAX_ATTEMPTS - 1)
    return identifier


def lose_its_supervisor() -> str:
    identifier = submitted()
    Task.update(crashes=MAX_ATTEMPTS - 1).execute()
    claimed("gone")
    (lease,) = leases.list_other_leases("me")
    assert leases.take_over(lease, "Gone.", 0.0) == leases.GIVEN_UP
    return identifier


def fail_download() -> str:
    identifier = submitted("https://media.example/a.wav")
    held = downloads.claim("me")
    assert held is not None and downloads.fail(held[0], "download_failed", "404")
    return identifier


ENDS: dict[Callable[[], str], str] = {
    complete: "task.completed",
    fail: "task.failed",
    cancel_waiting: "task.cancelled",
    cancel_running: "task.cancelled",
    crash_too_often: "task.failed",
    lose_its_supervisor: "task.failed",
    fail_download: "task.failed",
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_every_end_is_announced_once(end: Callable[[], str]) -> None:
    identifier = end()
    (message,) = Webhook.select()
    ended = row(identifier)
    assert ended.status in TERMINAL and message.task == identifier
    body = json.loads(message.body)
    assert body["type"] == ENDS[end] and body["timestamp"] == body["data"]["finished_at"]
    assert (body["data"]["identifier"], body["data"]["status"]) == (identifier, ended.status)
    assert body["data"]["error_code"] == ended.error_code
    assert not tasks.cancel(identifier) and Webhook.select().count() == 1


def test_url_leaves_the_task_when_it_ends() -> None:
    identifier = complete()
    assert row(identifier).webhook == ANNOUNCED
    held = deliveries.claim("me", 30.0)
    assert held is not None and held.receiver.url == URL
    assert deliveries.mark_delivered(held)
    assert "secret" not in str(Webhook.get().__data__) + str(row(identifier).__data__)


def test_task_without_receiver_announces_nothing() -> None:
    submitted(url="")
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    assert Webhook.select().count() == 0


def test_end_without_its_message_does_not_happen(monkeypatch: pytest.MonkeyPatch) -> None:
    identifier = submitted()
    claim = claimed()

    def refuse(row: Task) -> None:
        raise OperationalError("disk full")

    monkeypatch.setattr(webhooks, "add", refuse)
    for end in (
        lambda: tasks.complete(claim, "json", "[]", [], 1.0),
        lambda: tasks.fail(claim, "x", "y", [], 1.0),
        lambda: tasks.cancel(identifier),
    ):
        with pytest.raises(OperationalError):
            end()
    assert row(identifier).status == "IN_PROGRESS" and not database.in_transaction()


def test_requeued_task_announces_nothing() -> None:
    identifier = submitted()
    tasks.requeue(claimed())
    assert (row(identifier).status, Webhook.select().count()) == (QUEUED, 0)


def test_message_is_claimed_by_one_process_at_a_time() -> None:
    complete()
    held = deliveries.claim("me", 30.0)
    assert held is not None and deliveries.claim("them", 30.0) is None
    Webhook.update(lease_expires=0).execute()
    taken = deliveries.claim("them", 30.0)
    assert taken is not None and not deliveries.mark_delivered(held) and deliveries.mark_delivered(taken)


def test_busy_host_is_passed_over() -> None:
    submitted(url="https://slow.example/")
    tasks.complete(claimed(), "json", "[]", [], 1.0)
    other = complete()
    held = deliveries.claim("me", 30.0, ["slow.example"])
    assert held is not None and held.task == other
    assert deliveries.claim("me", 30.0, ["slow.example"]) is None


def test_clock_that_is_set_back_does_not_postpone_a_message() -> None:
    complete()
    held = deliveries.claim("me", 30.0)
    assert held is not None and deliveries.postpone(held, 3600.0, "503")
    assert deliveries.claim("me", 30.0) is None
    Webhook.update(planned_at=Webhook.planned_at + 86400, due_at=Webhook.due_at + 86400).execute()
    again = deliveries.claim("me", 30.0)
    assert again is not None and again.attempts == 1


def test_lease_from_before_the_clock_was_set_back_has_expired() -> None:
    complete()
    assert deliveries.claim("me", 30.0) is not None
    Webhook.update(lease_expires=Webhook.lease_expires + 86400).execute()
    assert deliveries.claim("them", 30.0) is not None


def test_purged_task_leaves_only_a_message_that_is_still_to_be_delivered() -> None:
    identifier, other = complete(), complete()
    held = deliveries.claim("me", 30.0)
    assert held is not None and held.task == identifier and deliveries.mark_delivered(held)
    assert retention.delete_ended(identifier) and retention.delete_ended(other)
    assert [message.task for message in Webhook.select()] == [other]


def test_deleted_task_is_not_announced() -> None:
    identifier = complete()
    assert tasks.delete(identifier) and Webhook.select().count() == 0
    waiting = submitted()
    assert tasks.delete(waiting) and Webhook.select().count() == 0
