"""A claim that the supervisor does not know of is requeued, and so is a task that has to wait: for the storage, or a place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.core.db import claims
from app.core.db.states import FAILED, IN_PROGRESS, MAX_LOST_NODES, QUEUED
from app.core.db.tasks import Task
from app.core.settings import Cache, Settings, Storage
from tests.app.rows import claimed, queued, row
from workers.device.protocol import Failure, Returned
from workers.supervisor import settlement
from workers.supervisor.local_engine import LocalEngine
from workers.supervisor.loop import Supervisor

pytestmark = pytest.mark.usefixtures("open_database")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=Cache(path=tmp_path))


def test_unknown_claim_is_requeued_and_costs_no_attempt(settings: Settings) -> None:
    identifier = queued()
    supervisor = Supervisor(settings, LocalEngine(settings, []), is_only_supervisor=False)
    claimed(supervisor.name)  # then the connection breaks
    supervisor._beat()
    assert (row(identifier).status, row(identifier).holder, row(identifier).crashes) == (QUEUED, None, 0)
    assert claimed().claim_no == 2


def test_known_claims_and_those_of_others_are_kept(settings: Settings) -> None:
    known, unknown, theirs = queued(), queued(), queued()
    ours = claimed("me")
    claimed("me"), claimed("them")
    settlement.requeue_unknown(settings, "me", {(ours.uuid, ours.claim_no)})
    assert [row(identifier).status for identifier in (known, unknown, theirs)] == [IN_PROGRESS, QUEUED, IN_PROGRESS]


def test_outage_of_the_storage_costs_no_attempt(settings: Settings) -> None:
    identifier = queued()
    for number in (1, 2, 3, 4):
        claim = claimed()
        assert claim.claim_no == number
        settlement.settle(settings, claim, Failure("storage_unavailable", "It does not answer.", [], 1.0, {}))
        waiting = row(identifier)
        assert (waiting.status, waiting.holder, waiting.crashes, waiting.error_code) == (QUEUED, None, 0, None)
        assert waiting.not_before is not None and claims.claim("me") is None, "it waits"
        Task.update(not_before=None).execute()


def test_late_outage_of_an_earlier_claim_changes_nothing(settings: Settings) -> None:
    identifier = queued()
    claim = claimed()
    settlement.settle(settings, claim, None)
    claimed("them")
    settlement.settle(settings, claim, Failure("storage_unavailable", "It does not answer.", [], 1.0, {}))
    assert (row(identifier).status, row(identifier).holder) == (IN_PROGRESS, "them")


def test_task_whose_machine_is_lost_again_and_again_fails_with_its_warnings(settings: Settings) -> None:
    identifier = queued()
    for _ in range(MAX_LOST_NODES):
        assert row(identifier).status == QUEUED
        settlement.settle(settings, claimed(), settlement.NodeLost("Node a is lost.", ["w", "odd"]))
        Task.update(not_before=None).execute()
    ended = row(identifier)
    assert (ended.status, ended.error_code, ended.crashes) == (FAILED, "worker_crashed", 0)
    assert ended.error == "Node a is lost. Giving up after 10 lost nodes."
    assert ended.warnings == '["w", "odd"]'


def test_returned_task_is_requeued_together_with_its_length(settings: Settings) -> None:
    identifier = queued()
    settlement.settle(settings, claimed(), Returned(700.5))
    assert (row(identifier).status, row(identifier).audio_duration, row(identifier).crashes) == (QUEUED, 700.5, 0)


def test_full_disk_of_one_machine_costs_no_attempt_with_a_bucket(settings: Settings) -> None:
    full = Failure("insufficient_storage", "Not enough disk space.", [], 1.0, {})
    bucket, identifier = replace(settings, storage=Storage("s3://speech")), queued()
    for _ in range(4):
        claim = claimed()
        settlement.settle(bucket, claim, full)
        assert (row(identifier).status, row(identifier).crashes) == (QUEUED, 0)
        Task.update(not_before=None).execute()
    settlement.settle(settings, claimed(), full)
    assert row(identifier).crashes == 1, "a folder is on the same disk for all"
