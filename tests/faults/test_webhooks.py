"""The supervisor is killed before and during the delivery of a message: it arrives all the same."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import requests
from standardwebhooks import Webhook

from tests.receivers import Message, receiving
from tests.service import Service, running, until, write_config

SECRET = "whsec_" + "A" * 32


def cancelled(service: Service, url: str) -> str:
    """End a task without the supervisor."""
    identifier = service.submit(webhook_url=url)
    assert requests.post(f"{service.url}/task/{identifier}/cancel", timeout=30).status_code == 202
    return identifier


def kill_worker(service: Service) -> None:
    assert service.worker is not None
    service.worker.kill()
    service.worker.wait()


def delivered(service: Service, identifier: str) -> Any:
    def look() -> Any:
        webhook = service.task(identifier)["webhook"]
        return webhook if webhook["status"] == "DELIVERED" else None

    return until(look, "the message is delivered", 60)


def test_message_survives_a_supervisor_killed_before_and_during_its_delivery(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    over = threading.Event()

    def hang(message: Message) -> tuple[int, dict[str, str]]:
        over.wait(120)
        return 200, {}

    config = write_config(tmp_path, fetch={"allow": ["127.0.0.2/32"]}, workers={"preload": False})
    with receiving(hang, host="127.0.0.2") as receiver, running(tmp_path, config=config) as service:
        kill_worker(service)
        identifier = cancelled(service, receiver.url)
        assert service.task(identifier)["webhook"] == {"status": "PENDING", "attempts": 0, "last_error": None}
        service.start_worker()
        until(lambda: receiver.messages, "the message arrives", 60)
        kill_worker(service)
        over.set()
        service.start_worker()
        assert delivered(service, identifier) == {"status": "DELIVERED", "attempts": 1, "last_error": None}
        logs = service.log("worker.log") + service.log("web.log")
    assert len(receiver.messages) == 2 and len({message.headers["webhook-id"] for message in receiver.messages}) == 1
    for message in receiver.messages:
        assert Webhook(SECRET).verify(message.body, message.headers)["data"]["identifier"] == identifier
    assert "webhook delivered" in logs and "token" not in logs
