"""An actor gives its slot a Channel of queues, and says first where it runs and with which versions."""

from __future__ import annotations

import os
import platform
import threading
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from app.core.settings import Cache, Settings, Storage, Workers
from tests.workers.supervisor.acting import COMPLETE, make_job, serve_slot
from workers.device import host
from workers.device.host import Host, Mailbox, Placed, Versions, read_mark, write_mark
from workers.device.protocol import Loading, Message, Outcome, Ready, Said, Slot, Warm

SLOT = Slot(0, "cpu", None, 0)


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "version", lambda name: {"ray": "2.60.0"}[name])


def test_actor_says_where_it_runs_and_then_what_its_slot_says() -> None:
    actor = Host(SLOT, Settings(), False, "", serve_slot)
    stream = actor.serve()
    python = ".".join(platform.python_version().split(".")[:2])
    assert next(stream) == Placed(platform.node(), os.getpid(), Versions("2.60.0", python), False)
    assert [next(stream) for _ in range(5)][1:] == [Loading("a model"), Loading(None), Ready(), Warm()]
    actor.take(make_job("a", COMPLETE))
    said = [next(stream) for _ in range(3)]
    assert isinstance(said[-1], Said) and isinstance(said[-1].message, Outcome)
    actor.take(None)
    assert list(stream) == [], "it ends when the supervisor hangs up"


def test_stream_ends_when_the_slot_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda error: None)  # Ray writes it to the log

    def fail(*_: Any) -> None:
        raise RuntimeError("no such device")

    assert [type(message) for message in Host(SLOT, Settings(), False, "", fail).serve()] == [Placed, Loading]


def test_node_counts_its_own_cores() -> None:
    given: list[Slot] = []
    settings = Settings(workers=Workers(cpu_threads=3))
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


def test_versions_are_those_of_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "version", metadata.version)
    monkeypatch.setattr(metadata, "version", lambda name: "9.9")
    monkeypatch.setattr(host, "version", metadata.version)
    assert str(host.read_versions()).startswith("Ray 9.9 and Python 3.")


def test_node_sees_the_files_of_the_supervisor_only_in_its_folder(tmp_path: Path) -> None:
    here, elsewhere = (Settings(cache=Cache(path=tmp_path / name)) for name in ("here", "elsewhere"))
    here.cache.path.mkdir()
    mark = write_mark(here.cache.path)
    bucket = replace(elsewhere, storage=Storage(url="s3://speech"))
    seen = [next(Host(SLOT, settings, False, mark, serve_slot).serve()) for settings in (here, elsewhere, bucket)]
    assert [message.sees_files for message in seen if isinstance(message, Placed)] == [True, False, True]
    write_mark(here.cache.path)
    assert read_mark(here.cache.path) != mark, "each supervisor has its own"
