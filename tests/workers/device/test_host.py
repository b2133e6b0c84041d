"""An actor gives its slot a Channel of queues, and says first where it runs and with which versions."""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import replace
from typing import Any

import pytest

from app.core.settings import Settings
from tests.workers.supervisor.acting import COMPLETE, make_job, serve_slot
from workers.device import node
from workers.device.host import Host, Mailbox, Placed
from workers.device.node import Versions, write_mark
from workers.device.protocol import Loading, Message, Outcome, Ready, Said, Slot, Warm

SLOT = Slot(0, "cpu", None, 0)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "version", lambda name: {"ray": "2.60.0"}[name])


def test_actor_says_where_it_runs_and_then_what_its_slot_says(mini_settings: Settings) -> None:
    mini_settings.cache.path.mkdir()
    actor = Host(SLOT, mini_settings, False, write_mark(mini_settings.cache.path), serve_slot)
    stream = actor.serve()
    python = ".".join(platform.python_version().split(".")[:2])
    assert next(stream) == Placed(platform.node(), os.getpid(), Versions("2.60.0", python), "")
    assert [next(stream) for _ in range(5)][1:] == [Loading("a model"), Loading(None), Ready(), Warm()]
    actor.take(make_job("a", COMPLETE))
    said = [next(stream) for _ in range(3)]
    assert isinstance(said[-1], Said) and isinstance(said[-1].message, Outcome)
    actor.take(None)
    assert list(stream) == [], "it ends when the supervisor hangs up"


def test_stream_ends_when_the_slot_fails(mini_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda error: None)  # Ray writes it to the log

    def fail(*_: Any) -> None:
        raise RuntimeError("no such device")

    assert [type(message) for message in Host(SLOT, mini_settings, False, "", fail).serve()] == [Placed, Loading]


def test_node_counts_its_own_cores(mini_settings: Settings) -> None:
    given: list[Slot] = []
    settings = replace(mini_settings, workers=replace(mini_settings.workers, cpu_threads=3))
    for slot in (SLOT, Slot(1, "cuda", 0, 0)):
        list(Host(slot, settings, False, "", lambda mailbox, slot, *_: given.append(slot)).serve())
    assert given == [Slot(0, "cpu", None, 3), Slot(1, "cuda", 0, 0)]


def test_mailbox_waits_for_a_command_and_says_when_the_supervisor_has_hung_up() -> None:
    mailbox = Mailbox()
    assert mailbox.receive(0.01) is None
    job = make_job("a", COMPLETE)
    mailbox.post(job)
    mailbox.post(None)
    assert mailbox.receive(0.01) is job
    with pytest.raises(EOFError):
        mailbox.receive(0.01)


def test_messages_before_the_end_are_all_read() -> None:
    mailbox = Mailbox()
    sent: list[Message] = [Ready(), Warm()]
    for message in sent:
        mailbox.send(message)
    mailbox.close()
    assert list(mailbox.read_messages()) == sent
