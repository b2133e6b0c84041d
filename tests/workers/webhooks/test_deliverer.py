"""Messages are delivered once, or tried again on schedule, and never to an address that is not allowed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from peewee import OperationalError
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from app.core.db import connection, deliveries, retention, tasks, webhooks
from app.core.db.webhooks import Webhook
from app.core.settings import Fetch, Settings, Webhooks
from app.core.webhooks import ASSEMBLYAI, Receiver
from tests.app.rows import PARAMS, claimed, row
from tests.faults import clock
from tests.receivers import Message, receiving
from tests.service import promptly, until
from workers.webhooks import deliverer
from workers.webhooks.deliverer import Deliverer

SECRETS = ("whsec_" + "A" * 32, "whsec_" + "B" * 43)

Serving = Callable[..., Any]


@pytest.fixture
def jump(tmp_path: Path) -> Iterator[Callable[[float], None]]:
    """An open database whose clock can be set to some seconds after its start."""
    opened = connection.connect(f"sqlite:///{tmp_path / 'records.db'}", prepare=lambda it: clock.install(tmp_path, it))
    yield lambda seconds: clock.jump(tmp_path, seconds)
    opened.close()


@pytest.fixture
def serving(jump: Callable[[float], None], monkeypatch: pytest.MonkeyPatch) -> Serving:
    monkeypatch.setattr(deliverer, "LOOK_SECONDS", 0.1)

    @contextmanager
    def serve(resolve: Any = None, allow: tuple[str, ...] = ("127.0.0.0/8",), **values: Any) -> Iterator[Deliverer]:
        chosen = {"timeout": 5.0} | values
        settings = Settings(fetch=Fetch(allow=allow), webhooks=Webhooks(**chosen), webhook_secrets=SECRETS)
        middle = {"spread": lambda least, most: (least + most) / 2}
        running = Deliverer(settings, resolve, **middle) if resolve else Deliverer(settings, **middle)
        running.start()
        try:
            yield running
        finally:
            running.stop()
            assert not running._thread.is_alive()

    return serve


def ended(url: str, **receiver: Any) -> str:
    """End a task whose end is announced to ``url``."""
    identifier = str(uuid.uuid4())
    webhook = Receiver(url, **receiver).to_json()
    tasks.submit(identifier, "transcription", PARAMS.to_json(), "a.wav", [], webhook=webhook)
    assert tasks.complete(claimed(), "json", "[]", [], 0.5)
    return identifier


def state(identifier: str) -> tuple[str, int, str | None]:
    shown = webhooks.describe([row(identifier)])[identifier]
    return shown["status"], shown["attempts"], shown["last_error"]


def wait_for(identifier: str, status: str, attempts: int) -> str | None:
    until(
        lambda: state(identifier)[:2] == (status, attempts), f"{status} after {attempts}, not {state(identifier)}", 30
    )
    return state(identifier)[2]


def test_message_is_signed_with_every_secret(serving: Serving) -> None:
    with receiving() as receiver, serving():
        identifier = ended(receiver.url)
        assert wait_for(identifier, "DELIVERED", 1) is None
    (message,) = receiver.messages
    assert message.path == "/hook?token=secret" and message.headers["content-type"] == "application/json"
    assert message.headers["webhook-id"] == f"msg_{identifier}"
    for secret in SECRETS:
        body = Verifier(secret).verify(message.body, message.headers)
        assert (body["type"], body["data"]["identifier"]) == ("task.completed", identifier)
    with pytest.raises(WebhookVerificationError):
        Verifier(SECRETS[0]).verify(message.body + " ", message.headers)
    sent = datetime.fromtimestamp(int(message.headers["webhook-timestamp"]), timezone.utc)
    assert abs((datetime.now(timezone.utc) - sent).total_seconds()) < 60


def test_message_for_a_client_of_assemblyai_has_its_form_and_header(serving: Serving) -> None:
    with receiving() as receiver, serving():
        identifier = ended(receiver.url, form=ASSEMBLYAI, header_name="X-Secret", header_value="s3cret")
        wait_for(identifier, "DELIVERED", 1)
    (message,) = receiver.messages
    assert message.body == f'{{"transcript_id": "{identifier}", "status": "completed"}}'
    assert message.headers["x-secret"] == "s3cret"


def test_receiver_that_is_down_for_an_hour_gets_the_message_once(
    serving: Serving, jump: Callable[[float], None]
) -> None:
    with receiving(503) as receiver, serving():
        identifier = ended(receiver.url)
        for attempt, seconds in enumerate((0.0, 5.0, 300.0, 1800.0), 1):
            jump(seconds + 1)
            wait_for(identifier, "PENDING", attempt)
        assert state(identifier)[2] == "The receiver answered 503 Service Unavailable."
        receiver.answer = lambda message: (200, {})
        jump(3600.0)
        time.sleep(0.5)  # longer than between two looks
        assert state(identifier)[1] == 4
        jump(7205.0)
        wait_for(identifier, "DELIVERED", 5)
        jump(86400.0)
        time.sleep(0.5)
    assert {message.headers["webhook-id"] for message in receiver.messages} == {f"msg_{identifier}"}
    assert len(receiver.messages) == 5 and len({message.body for message in receiver.messages}) == 1


def test_delivery_is_given_up_after_a_day(serving: Serving, jump: Callable[[float], None]) -> None:
    with receiving(500) as receiver, serving():
        identifier = ended(receiver.url)
        for hours in (0, 0.01, 0.1, 0.6, 2.1, 5.2, 10.3, 14.4, 20.5):
            jump(hours * 3600)
            before = len(receiver.messages)
            until(lambda before=before: len(receiver.messages) > before, "another attempt", 30)
            until(lambda: state(identifier)[1] == len(receiver.messages), "it is counted", 30)
        assert state(identifier)[:2] == ("PENDING", 9)
        jump(25 * 3600)
        assert wait_for(identifier, "FAILED", 10) == "The receiver answered 500 Internal Server Error."
    assert "secret" not in str(Webhook.get().__data__)


@pytest.mark.parametrize(
    ("answer", "form", "status"),
    [(410, "standard", "DISABLED"), (404, ASSEMBLYAI, "FAILED"), (410, ASSEMBLYAI, "DISABLED")],
)
def test_some_answers_end_the_delivery(serving: Serving, answer: int, form: str, status: str) -> None:
    with receiving(answer) as receiver, serving():
        wait_for(ended(receiver.url, form=form), status, 1)
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("answer", [404, 429, 302, 502])
def test_other_answers_lead_to_another_attempt(serving: Serving, jump: Callable[[float], None], answer: int) -> None:
    with receiving() as elsewhere, receiving(answer, Location=elsewhere.url) as receiver, serving():
        identifier = ended(receiver.url)
        assert str(answer) in str(wait_for(identifier, "PENDING", 1))
        receiver.answer = lambda message: (200, {})
        jump(10.0)
        wait_for(identifier, "DELIVERED", 2)
    assert elsewhere.messages == []  # no redirect is followed


def test_retry_after_is_heeded(serving: Serving, jump: Callable[[float], None]) -> None:
    with receiving(429, **{"Retry-After": "600"}) as receiver, serving():
        identifier = ended(receiver.url)
        wait_for(identifier, "PENDING", 1)
        jump(590.0)
        time.sleep(0.5)
        assert len(receiver.messages) == 1
        jump(610.0)
        wait_for(identifier, "PENDING", 2)


def test_jump_of_the_clock_costs_one_attempt_and_loses_nothing(serving: Serving, jump: Callable[[float], None]) -> None:
    with receiving(503) as receiver, serving():
        identifier = ended(receiver.url)
        wait_for(identifier, "PENDING", 1)
        jump(5 * 86400.0)
        wait_for(identifier, "PENDING", 2)
        jump(0.0)
        wait_for(identifier, "PENDING", 3)
        time.sleep(0.5)
        assert len(receiver.messages) == 3
        receiver.answer = lambda message: (200, {})
        jump(3600.0)
        wait_for(identifier, "DELIVERED", 4)


def test_receiver_that_does_not_answer_is_left_after_the_timeout(serving: Serving) -> None:
    over = threading.Event()

    def hang(message: Message) -> tuple[int, dict[str, str]]:
        over.wait(60)
        return 200, {}

    with receiving(hang) as receiver, serving(timeout=1.0):
        identifier = ended(receiver.url)
        began = time.monotonic()
        assert wait_for(identifier, "PENDING", 1) == "The receiver did not answer within 1 s."
        assert time.monotonic() - began < promptly(4)
        over.set()


def test_receiver_that_does_not_answer_delays_no_other(serving: Serving) -> None:
    over = threading.Event()

    def hang(message: Message) -> tuple[int, dict[str, str]]:
        over.wait(60)
        return 200, {}

    with receiving(hang) as slow, receiving() as quick, serving(timeout=60.0, parallel=2):
        for _ in range(4):
            ended(slow.url)
        until(lambda: slow.messages, "the slow receiver has a message", 30)
        identifier = ended(f"http://localhost:{quick.server_port}/")
        wait_for(identifier, "DELIVERED", 1)
        assert slow.most_open == 1
        over.set()


def test_address_is_checked_at_every_attempt(serving: Serving, jump: Callable[[float], None]) -> None:
    """The name has a public address at the first attempt, and one inside at the next."""
    answers = [["192.0.2.1"], ["10.0.0.1"]]
    with receiving() as receiver, serving(lambda host, port: answers[0], allow=()):
        identifier = ended(f"http://hook.example:{receiver.server_port}/?secret")
        error = wait_for(identifier, "PENDING", 1)
        assert error == "The receiver's address is neither public nor allowed by the operator (fetch.allow)."
        answers.pop(0)
        jump(10.0)
        assert wait_for(identifier, "PENDING", 2) == error
    assert receiver.messages == []


def test_name_is_connected_to_the_address_that_was_checked(serving: Serving) -> None:
    with receiving() as receiver, serving(lambda host, port: ["127.0.0.1"]):
        wait_for(ended(f"http://hook.example:{receiver.server_port}/"), "DELIVERED", 1)
    assert receiver.messages[0].headers["host"] == f"hook.example:{receiver.server_port}"


def test_message_of_a_killed_process_is_sent_again_with_the_same_id(serving: Serving) -> None:
    with receiving() as receiver:
        identifier = ended(receiver.url)
        assert deliveries.claim("killed", 20.0) is not None
        with serving():
            time.sleep(0.5)
            assert receiver.messages == []  # it could still be sending
            Webhook.update(lease_expires=0).execute()
            wait_for(identifier, "DELIVERED", 1)
    assert receiver.messages[0].headers["webhook-id"] == f"msg_{identifier}"


def complete_and_die(url: str, receiver: str) -> None:
    connection.connect(url)
    ended(receiver)
    os.kill(os.getpid(), signal.SIGKILL)


def test_supervisor_killed_between_result_and_delivery_loses_no_message(serving: Serving, tmp_path: Path) -> None:
    with receiving() as receiver:
        arguments = (f"sqlite:///{tmp_path / 'records.db'}", receiver.url)
        process = multiprocessing.get_context("spawn").Process(target=complete_and_die, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == -signal.SIGKILL and receiver.messages == []
        with serving():
            (message,) = Webhook.select()
            wait_for(message.task, "DELIVERED", 1)


def test_two_supervisors_send_each_message_once(serving: Serving) -> None:
    with receiving() as receiver:
        identifiers = [ended(receiver.url) for _ in range(20)]
        with serving(), serving():
            for identifier in identifiers:
                wait_for(identifier, "DELIVERED", 1)
    assert sorted(message.headers["webhook-id"] for message in receiver.messages) == sorted(
        f"msg_{identifier}" for identifier in identifiers
    )


def test_stop_releases_a_message_and_a_start_sends_it_at_once(serving: Serving) -> None:
    over = threading.Event()

    def hang(message: Message) -> tuple[int, dict[str, str]]:
        over.wait(60)
        return 200, {}

    with receiving(hang) as receiver:
        with serving(timeout=60.0):
            identifier = ended(receiver.url)
            until(lambda: receiver.messages, "the attempt has begun")
            began = time.monotonic()
        assert time.monotonic() - began < promptly(3)
        assert state(identifier) == ("PENDING", 0, None)
        over.set()
        with serving():
            wait_for(identifier, "DELIVERED", 1)
    assert [message.headers["webhook-id"] for message in receiver.messages] == [f"msg_{identifier}"] * 2


def test_delivery_is_noted_when_the_database_is_back(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refusals = deliveries.mark_delivered, iter(range(2))

    def away(held: Any) -> bool:
        if next(refusals, None) is not None:
            raise OperationalError("database is locked")
        return real(held)

    monkeypatch.setattr(deliveries, "mark_delivered", away)
    with receiving() as receiver, serving():
        wait_for(ended(receiver.url), "DELIVERED", 1)
    assert len(receiver.messages) == 1


def test_log_never_shows_the_url(
    serving: Serving, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO")
    with receiving(500) as receiver, serving(lambda host, port: {}[f"https://{host}"]):
        wait_for(ended(receiver.url), "PENDING", 1)
        unexpected = ended("http://token.example/?secret")
        assert wait_for(unexpected, "PENDING", 1) == "Internal error; see the server log."
        monkeypatch.setattr(deliverer.deliveries, "claim", lambda *_: 1 / 0)
        until(lambda: "ZeroDivisionError" in caplog.text, "the error is logged")
    assert "KeyError" in caplog.text and "secret" not in caplog.text and "token" not in caplog.text


def test_message_about_a_purged_task_is_removed_after_its_delivery(serving: Serving) -> None:
    with receiving() as receiver:
        assert retention.delete_ended(ended(receiver.url))
        with serving():
            until(lambda: Webhook.select().count() == 0, "the message is gone")
    assert len(receiver.messages) == 1
