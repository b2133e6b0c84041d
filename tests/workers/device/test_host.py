"""An actor gives its slot a Channel of queues, and says first where it runs and with which versions."""

from __future__ import annotations

import os
import platform
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Settings
from tests.workers.supervisor.acting import COMPLETE, make_job, serve_slot
from workers.device import node
from workers.device.host import Ending, Host, Mailbox, Placed, Refused
from workers.device.node import read_versions, write_mark
from workers.device.protocol import Loading, Message, Outcome, Ready, Said, Slot, Warm

SLOT = Slot(0, "cpu", None, 0)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(node, "version", lambda name: {"ray": "2.60.0"}[name])
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)  # an actor ignores it


@pytest.fixture
def settings(mini_settings: Settings) -> Settings:
    mini_settings.cache.path.mkdir()
    return mini_settings


def read_all(actor: Host) -> list[Any]:
    """What an actor says until it has ended."""
    said: list[Any] = []
    while not said or not isinstance(said[-1], Ending | Refused):
        said += actor.read()
    return said


def make(settings: Settings, serve: Callable[..., None], slot: Slot = SLOT) -> Host:
    return Host(slot, settings, False, write_mark(settings.cache.path), serve)


def test_actor_says_where_it_runs_and_then_what_its_slot_says(settings: Settings) -> None:
    actor = make(settings, serve_slot)
    actor.take(make_job("a", COMPLETE))
    actor.take(None)
    placed, *said = read_all(actor)
    assert placed == Placed(platform.node(), os.getpid(), read_versions())
    assert said[1:5] == [Loading("a model"), Loading(None), Ready(), Warm()]
    assert isinstance(said[-2], Said) and isinstance(said[-2].message, Outcome)
    assert said[-1] == Ending(), "it ends when the supervisor hangs up"


def test_actor_ends_when_the_slot_fails(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda error: None)  # Ray writes it to the log

    def fail(*_: Any) -> None:
        raise RuntimeError("no such device")

    assert [type(message) for message in read_all(make(settings, fail))] == [Placed, Loading, Ending]


def test_actor_on_a_node_where_tasks_would_fail_refuses(settings: Settings) -> None:
    actor = Host(SLOT, settings, False, "another mark", serve_slot)
    *_, last = read_all(actor)
    assert isinstance(last, Refused) and "must be a shared folder" in last.obstacle


def test_node_counts_its_own_cores(settings: Settings) -> None:
    given: list[Slot] = []
    chosen = replace(settings, workers=replace(settings.workers, cpu_threads=3))
    for slot in (SLOT, Slot(1, "cuda", 0, 0)):
        read_all(make(chosen, lambda mailbox, slot, *_: given.append(slot), slot))
    assert given == [Slot(0, "cpu", None, 3), Slot(1, "cuda", 0, 0)]


def test_limit_of_threads_that_ray_sets_is_removed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    if b"OMP_NUM_THREADS=" in Path("/proc/self/environ").read_bytes():
        pytest.skip("the operator has set OMP_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    seen: list[str | None] = []
    read_all(make(settings, lambda *_: seen.append(os.environ.get("OMP_NUM_THREADS")), Slot(0, "cuda", 0, 0)))
    assert seen == [None]


def test_mailbox_waits_for_a_command_and_says_when_the_supervisor_has_hung_up() -> None:
    mailbox = Mailbox()
    assert mailbox.receive(0.01) is None
    job = make_job("a", COMPLETE)
    mailbox.post(job)
    mailbox.post(None)
    assert mailbox.receive(0.01) is job
    with pytest.raises(EOFError):
        mailbox.receive(0.01)


def test_messages_are_read_in_order_and_together() -> None:
    mailbox = Mailbox()
    sent: list[Message] = [Ready(), Warm()]
    for message in sent:
        mailbox.send(message)
    assert mailbox.read() == sent
