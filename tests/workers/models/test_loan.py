"""A model that a run uses is never freed; each model is loaded once for all runs."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from app.core.settings import Settings
from tests.service import until
from tests.workers.conftest import SLOT
from workers.device.turns import Share, StoppedError, Turns
from workers.models.cache import WarmModels
from workers.models.loader import Loader
from workers.models.loan import Loan


class Models:
    """WarmModels that load text instead of weights, and the number of loads of each."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mini: Settings) -> None:
        self.loads: list[str] = []
        self.blocked = threading.Event()
        self.blocked.set()
        self.turns = Turns()
        monkeypatch.setattr(Loader, "load_whisper", lambda loader, name, kind: self._load(name))
        self.warm = WarmModels(SLOT, mini)

    def _load(self, name: str) -> Any:
        self.loads.append(name)
        assert self.blocked.wait(10)
        return [name]

    def lend(self, told: list[str | None] | None = None) -> Loan:
        return Loan(self.warm, self.turns, Share(), (told if told is not None else []).append)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch, mini: Settings) -> Models:
    return Models(monkeypatch, mini)


def test_model_in_use_stays_when_another_one_is_loaded(models: Models) -> None:
    first, second = models.lend(), models.lend()
    used = first.whisper("base", "int8")
    second.whisper("large", "int8")
    assert models.lend().whisper("base", "int8") is used
    assert models.loads == ["base", "large"]


def test_model_that_is_given_back_makes_room(models: Models) -> None:
    first, second = models.lend(), models.lend()
    first.whisper("base", "int8")
    second.whisper("large", "int8")
    first.give_back()
    models.lend().whisper("large", "int8")
    models.lend().whisper("base", "int8")
    assert models.loads == ["base", "large", "base"]


def test_freeing_leaves_the_models_of_other_runs(models: Models) -> None:
    first, second = models.lend(), models.lend()
    used = first.whisper("base", "int8")
    second.whisper("base", "int8")
    second.free("whisper")
    assert first.whisper("base", "int8") is used
    first.free("whisper")
    assert models.lend().whisper("base", "int8") is not used


def test_run_that_ends_without_giving_back_uses_nothing(models: Models) -> None:
    loan = models.lend()
    loan.whisper("base", "int8")
    del loan
    models.warm.free("whisper")
    assert not models.warm._kept["whisper"]


def test_runs_that_want_the_same_model_load_it_once(models: Models) -> None:
    models.blocked.clear()
    told: list[list[str | None]] = [[], []]
    loans = [models.lend(told[0]), models.lend(told[1])]
    got: list[Any] = []
    threads = [threading.Thread(target=lambda loan=loan: got.append(loan.whisper("base", "int8"))) for loan in loans]
    threads[0].start()
    until(lambda: models.loads, "it is loaded")
    threads[1].start()
    until(lambda: models.turns.measure_wait(loans[1].share)[1], "the other run waits")
    models.blocked.set()
    for thread in threads:
        thread.join(10)
    assert models.loads == ["base"] and got[0] is got[1]
    assert told == [["whisper base", None], []], "only the run that loads it says so"
    assert models.turns.measure_wait(loans[0].share)[0] == 0.0


def test_stopped_run_does_not_wait_for_a_load(models: Models) -> None:
    models.blocked.clear()
    thread = threading.Thread(target=lambda: models.lend().whisper("base", "int8"), daemon=True)
    thread.start()
    until(lambda: models.loads, "it is loaded")
    loan = models.lend()
    threading.Thread(target=lambda: (time.sleep(0.1), models.turns.stop(loan.share)), daemon=True).start()
    with pytest.raises(StoppedError):
        loan.whisper("base", "int8")
    models.blocked.set()
    thread.join(10)
