"""An inbox reads the messages of a multiprocessing Connection and never blocks."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import threading
from collections.abc import Iterator
from multiprocessing.connection import Connection

import pytest

from tests.service import until
from workers.supervisor import inbox
from workers.supervisor.inbox import LONG, SHORT, Inbox


@pytest.fixture
def pipe() -> Iterator[tuple[Connection, Connection]]:
    ours, theirs = multiprocessing.Pipe()
    yield ours, theirs
    ours.close()
    theirs.close()


# Connection sends length and message together up to 16384 bytes, and separately beyond
@pytest.mark.parametrize("size", [0, 1, 16_000, 16_384, 20_000, 3_000_000])
def test_every_message_arrives_as_it_was_sent(pipe: tuple[Connection, Connection], size: int) -> None:
    ours, theirs = pipe
    sent = [os.urandom(size), "between", os.urandom(size)]
    threading.Thread(target=lambda: [theirs.send(message) for message in sent], daemon=True).start()
    box, received = Inbox(ours), []
    until(lambda: received.extend(box.read()) or len(received) == len(sent), "all have arrived", every=0.0)
    assert received == sent


def test_half_a_message_is_kept_until_the_rest_comes(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    content = pickle.dumps("a result")
    frame = SHORT.pack(len(content)) + content
    box = Inbox(ours)
    for byte in frame[:-1]:
        os.write(theirs.fileno(), bytes([byte]))
        assert box.read() == []
    os.write(theirs.fileno(), frame[-1:] + frame[:3])
    assert box.read() == ["a result"]


def test_very_large_messages_have_a_longer_header(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    content = pickle.dumps("as if it were 2 GiB")
    frame = LONG.pack(-1, len(content)) + content
    box = Inbox(ours)
    os.write(theirs.fileno(), frame[:7])
    assert box.read() == []
    os.write(theirs.fileno(), frame[7:])
    assert box.read() == ["as if it were 2 GiB"]


def test_one_read_takes_a_limited_amount(pipe: tuple[Connection, Connection], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pipe
    monkeypatch.setattr(inbox, "CHUNK", 1000)
    monkeypatch.setattr(inbox, "MOST_AT_ONCE", 2000)
    theirs.send(b"x" * 3500)
    box = Inbox(ours)
    assert (box.read(), [len(message) for message in box.read()]) == ([], [3500])


def test_closed_pipe_still_delivers_sent_messages(pipe: tuple[Connection, Connection]) -> None:
    ours, theirs = pipe
    theirs.send("last words")
    os.write(theirs.fileno(), SHORT.pack(1000) + b"cut off")
    theirs.close()
    box = Inbox(ours)
    assert (box.read(), box.read()) == (["last words"], [])
    ours.close()
    assert box.read() == []
