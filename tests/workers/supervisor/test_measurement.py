"""A completed task adds the times of its stages to the rates; nothing that goes wrong there harms it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.core.db import heartbeats, rates, tasks
from app.core.db.rates import Key
from app.core.db.states import COMPLETED
from app.core.db.tasks import Claim
from app.core.settings import Cache, Settings
from tests.app.rows import claimed, queued, row
from workers.device.protocol import Failure, Outcome
from workers.supervisor.settlement import settle

pytestmark = pytest.mark.usefixtures("open_database")

DONE = Outcome("json", "[]", [], 9.0, {"audio_duration": 60.0}, None, {"decode": 0.6, "transcribe": 6.0})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(cache=Cache(path=tmp_path))


@pytest.fixture
def claim() -> Claim:
    heartbeats.record_heartbeat("me", [{"device": "cuda-0", "state": "busy"}])
    queued()
    return claimed()


def test_stages_of_a_completed_task_are_added(settings: Settings, claim: Claim) -> None:
    settle(settings, claim, DONE)
    measured = {("decode", ""): 0.01, ("transcribe", "mini int8"): 0.1, ("align", ""): 0.0}  # no alignment was possible
    assert rates.read() == pytest.approx({Key("transcription", *name, "cuda"): rate for name, rate in measured.items()})


def test_result_of_an_earlier_run_adds_nothing(settings: Settings, claim: Claim) -> None:
    tasks.report(claim, "decode", 0.0, audio_duration=60.0)
    settle(settings, replace(claim, claim_no=claim.claim_no + 1), DONE)
    assert rates.read() == {}


@pytest.mark.parametrize(
    "verdict",
    [
        Failure("no_audio", "There is no sound in it.", [], 1.0, {}),
        replace(DONE, facts={}),
        replace(DONE, facts={"audio_duration": 0.0}),
        replace(DONE, stages={}),
    ],
)
def test_run_without_times_or_length_adds_nothing(settings: Settings, claim: Claim, verdict: Any) -> None:
    settle(settings, claim, verdict)
    assert rates.read() == {} and row(claim.uuid).finished_at is not None


def test_task_is_completed_even_if_its_times_cannot_be_written(
    settings: Settings, claim: Claim, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(rates, "add", broken)
    settle(settings, claim, DONE)
    assert row(claim.uuid).status == COMPLETED
    assert f"task {claim.uuid}: the times of its stages cannot be written" in caplog.text and "disk full" in caplog.text
