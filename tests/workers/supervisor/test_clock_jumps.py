"""After a clock jumps forward, ages are not trusted for as long as it jumped."""

from __future__ import annotations

import pytest

from workers.supervisor.clock_jumps import TOLERANCE_SECONDS, ClockWatch

DAY, HOUR, TTL = 86_400.0, 3600.0, 600.0


class Clocks:
    """The clocks of the database and the machine, and a steady one; a test may set each."""

    def __init__(self) -> None:
        self.steady, self.database, self.machine = 5000.0, 1.7e9, 1.7e9
        self.watch = ClockWatch((lambda: self.database, lambda: self.machine), lambda: self.steady)

    def pass_by(self, seconds: float, step: float = 60.0) -> float:
        """Let time pass, look every minute as the purge does, and return the largest jump seen."""
        jump = 0.0
        for _ in range(round(seconds / step)):
            self.steady, self.database, self.machine = self.steady + step, self.database + step, self.machine + step
            jump = max(jump, self.watch.measure_jump())
        return jump


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


def test_ages_are_trusted_while_the_clocks_agree(clocks: Clocks) -> None:
    assert clocks.watch.is_trusted(TTL)
    assert clocks.pass_by(DAY) == 0.0 and clocks.watch.is_trusted(TTL)


@pytest.mark.parametrize("which", ["database", "machine"])
def test_ages_are_not_trusted_until_the_jump_has_passed(clocks: Clocks, which: str) -> None:
    setattr(clocks, which, getattr(clocks, which) + DAY)
    assert clocks.watch.measure_jump() == DAY
    assert not clocks.watch.is_trusted(TTL) and not clocks.watch.is_trusted(7 * DAY)
    clocks.pass_by(TTL - 60)
    assert not clocks.watch.is_trusted(TTL)
    clocks.pass_by(60)
    assert clocks.watch.is_trusted(TTL), "ten minutes have passed since the jump"
    assert not clocks.watch.is_trusted(7 * DAY)
    clocks.pass_by(DAY - TTL)
    assert clocks.watch.is_trusted(7 * DAY), "a jump of a day adds at most a day to an age"


def test_short_jump_suspends_trust_for_its_own_length(clocks: Clocks) -> None:
    clocks.database += 300
    assert clocks.watch.measure_jump() == 300
    clocks.pass_by(240)
    assert not clocks.watch.is_trusted(HOUR)
    clocks.pass_by(60)
    assert clocks.watch.is_trusted(HOUR)


def test_two_jumps_add_up(clocks: Clocks) -> None:
    for _ in range(2):
        clocks.database += HOUR
        assert clocks.watch.measure_jump() == HOUR
    clocks.pass_by(HOUR)
    assert not clocks.watch.is_trusted(DAY)
    clocks.pass_by(HOUR)
    assert clocks.watch.is_trusted(DAY)


def test_clock_set_back_does_not_suspend_trust(clocks: Clocks) -> None:
    clocks.database -= DAY
    clocks.machine -= DAY
    assert clocks.watch.measure_jump() == 0.0 and clocks.watch.is_trusted(TTL)


def test_drift_and_small_corrections_are_ignored(clocks: Clocks) -> None:
    for _ in range(1000):
        clocks.database += TOLERANCE_SECONDS / 60
        assert clocks.pass_by(60) == 0.0
    clocks.machine += TOLERANCE_SECONDS
    assert clocks.watch.measure_jump() == 0.0 and clocks.watch.is_trusted(TTL)


def test_ages_are_not_trusted_after_a_suspend(clocks: Clocks) -> None:
    clocks.database, clocks.machine = (
        clocks.database + HOUR,
        clocks.machine + HOUR,
    )  # the steady clock stops during a suspend
    assert clocks.watch.measure_jump() == HOUR and not clocks.watch.is_trusted(TTL)
