"""Rates are means of what was measured; they survive a restart, and follow changes."""

from __future__ import annotations

import pytest

from app.core.db import connection, rates
from app.core.db.rates import HALF_LIFE, Key

pytestmark = pytest.mark.usefixtures("open_database")

TRANSCRIBE = Key("transcription", "transcribe", "base int8", "cpu")
ALIGN = Key("transcription", "align", "", "cpu")


def test_rates_are_seconds_of_work_per_second_of_audio() -> None:
    rates.add({TRANSCRIBE: 6.0, ALIGN: 0.0}, 60.0)
    rates.add({TRANSCRIBE._replace(device="cuda"): 0.6}, 60.0)
    assert rates.read() == pytest.approx({TRANSCRIBE: 0.1, ALIGN: 0.0, TRANSCRIBE._replace(device="cuda"): 0.01})


def test_long_recordings_count_more_than_short_ones() -> None:
    rates.add({TRANSCRIBE: 12.0}, 10.0)  # with the time to load a model
    rates.add({TRANSCRIBE: 60.0}, 600.0)
    assert 0.1 <= rates.read()[TRANSCRIBE] < 0.125


@pytest.mark.parametrize(("amount", "tasks"), [(HALF_LIFE, 4), (1.0, 200)])
def test_rates_follow_changes(amount: float, tasks: int) -> None:
    for _ in range(tasks):
        rates.add({TRANSCRIBE: 0.5 * amount}, amount)
    for _ in range(tasks):
        rates.add({TRANSCRIBE: 0.1 * amount}, amount)
    assert 0.1 < rates.read()[TRANSCRIBE] < 0.13


def test_rates_survive_a_restart(open_database: str) -> None:
    rates.add({TRANSCRIBE: 6.0}, 60.0)
    connection.database.close()
    connection.connect(open_database)
    assert rates.read() == {TRANSCRIBE: pytest.approx(0.1)}
