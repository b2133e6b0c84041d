"""Names of speakers are changed label by label; of clients that change them at once, none loses its names."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.db import connection, speaker_names, tasks
from tests.app.processes import in_processes
from tests.app.rows import claimed, completed, queued, row

pytestmark = pytest.mark.usefixtures("open_database")


def finished() -> str:
    queued()
    return completed()


def test_names_are_added_and_taken_back() -> None:
    identifier = finished()
    assert row(identifier).speaker_names == "{}"
    assert speaker_names.change(identifier, {"B": "Öztürk", "A": "Maria"}) == {"A": "Maria", "B": "Öztürk"}
    before = row(identifier).changes
    assert speaker_names.change(identifier, {"A": None, "C": None}) == {"B": "Öztürk"}
    assert row(identifier).changes == before + 1
    assert speaker_names.change(identifier, {}) == {"B": "Öztürk"}


def test_only_a_completed_task_has_names() -> None:
    identifier = queued()
    assert speaker_names.change(identifier, {"A": "Maria"}) is None
    claim = claimed()
    assert speaker_names.change(identifier, {"A": "Maria"}) is None
    tasks.fail(claim, "no_audio", "", [], None)
    assert speaker_names.change(identifier, {"A": "Maria"}) is None
    assert speaker_names.change("unknown", {"A": "Maria"}) is None
    assert row(identifier).speaker_names == "{}"


def name_many(barrier: Any, url: str, identifier: str) -> list[str]:
    """Give ten names, each with its own change; return the labels that were lost at once."""
    connection.connect(url)
    own = barrier.wait(60)
    lost = []
    for number in range(10):
        label = f"{own}-{number}"
        names = speaker_names.change(identifier, {label: "Maria"})
        if names is None or label not in names:
            lost.append(label)
    connection.database.close()
    return lost


def test_clients_that_name_at_once_lose_no_name(open_database: str) -> None:
    identifier = finished()
    assert in_processes(name_many, 3, open_database, identifier) == [[]] * 3
    kept = speaker_names.change(identifier, {})
    assert kept is not None and len(kept) == 30
