"""The header Retry-After, and the schedule."""

from __future__ import annotations

import pytest

from workers.webhooks.attempt import read_retry_after
from workers.webhooks.schedule import ATTEMPTS_AT, choose_delay

NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Fri, 15 Jan 2027 08:01:00 GMT", 60.0),
        ("Fri, 15 Jan 2027 07:00:00 GMT", 0.0),
        ("9" * 400, 9_999_999_999.0),
        *((text, 0.0) for text in ("", "soon", "-5", "1.5", "\u0663", "Fri, 99 Jan 99999 08:01:00 GMT")),
    ],
)
def test_retry_after_is_read(text: str, seconds: float) -> None:
    assert read_retry_after(text, NOW) == seconds


def test_ten_attempts_spread_over_a_day() -> None:
    delays = [choose_delay(failed, 0.0, lambda least, most: 1.0) for failed in range(1, 11)]
    assert delays[-1] is None
    assert sum(delay for delay in delays if delay is not None) == ATTEMPTS_AT[-1] == 86400.0


def test_delays_are_spread_and_not_shorter_than_asked_for() -> None:
    assert choose_delay(2, 0.0, lambda least, most: least) == 295 * 0.9
    assert choose_delay(2, 0.0, lambda least, most: most) == 295 * 1.1
    assert choose_delay(2, 1000.0, lambda least, most: least) == 1000.0
    assert choose_delay(2, 1e9, lambda least, most: least) == 86400.0
