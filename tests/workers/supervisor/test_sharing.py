"""A task that has lost a run gets a process of its own, and short tasks find a place beside long ones."""

from __future__ import annotations

import random

import pytest

from workers.supervisor.sharing import LONG_SECONDS, Ending, Load, Running, Wanted, choose_claims, judge_ending

SHORT, LONG, UNKNOWN = Running(0, 5.0), Running(0, 3600.0), Running()
BOUNDED, CRASHED = Running(0, None, LONG_SECONDS), Running(1, 5.0)
ANY, SHORT_ONES = Wanted(True), Wanted(True, LONG_SECONDS)


def choose(*loads: tuple[Running, ...], places: int = 4, has_lone: bool = False) -> list[Wanted | None]:
    return choose_claims([Load(load) for load in loads], places, has_lone)


def test_empty_process_takes_any_task() -> None:
    assert choose(()) == [Wanted(shared=False, longest=None)]
    assert choose((), has_lone=True) == [Wanted()]


def test_one_place_of_a_process_is_for_short_recordings() -> None:
    assert choose((LONG,) * 2, (LONG,) * 3, (UNKNOWN,) * 3, (LONG,) * 4) == [ANY, SHORT_ONES, SHORT_ONES, None]
    assert choose((LONG,), (SHORT,), places=2) == [SHORT_ONES, ANY]


def test_short_tasks_without_end_do_not_keep_a_long_one_waiting() -> None:
    assert choose((SHORT,) * 3, (BOUNDED,) * 3, (LONG, LONG, SHORT)) == [ANY, ANY, ANY]


def test_process_of_one_place_takes_one_task_of_any_length() -> None:
    assert choose((), (SHORT,), places=1) == [Wanted(), None]


def test_nothing_joins_a_task_that_has_lost_a_run() -> None:
    assert choose((CRASHED,), (SHORT,)) == [None, ANY]


def test_process_becomes_empty_for_a_task_that_has_to_run_alone() -> None:
    assert choose((SHORT,) * 2, (SHORT,), has_lone=True) == [ANY, None]
    assert choose((SHORT,), (SHORT,), has_lone=True) == [None, ANY]
    assert choose((SHORT,) * 2, (LONG,), has_lone=True) == [None, ANY], "a long task takes longer than two short ones"
    assert choose((SHORT,), (UNKNOWN,), (BOUNDED,), has_lone=True) == [None, ANY, ANY]
    assert choose((SHORT,), (), has_lone=True) == [ANY, Wanted()], "no other is needed"


def test_short_tasks_run_beside_a_long_one_until_its_process_is_empty() -> None:
    assert choose((LONG,), (LONG, LONG), has_lone=True) == [SHORT_ONES, ANY]
    assert choose((LONG, SHORT, BOUNDED), has_lone=True) == [SHORT_ONES]
    assert choose((UNKNOWN,), has_lone=True) == [None], "it may end at any moment"


def test_process_that_has_grown_becomes_empty() -> None:
    loads = [Load((SHORT,), retiring=True), Load((LONG,), retiring=True), Load((), retiring=True), Load((SHORT,))]
    assert choose_claims(loads, 4, False) == [None, SHORT_ONES, None, ANY]


@pytest.mark.parametrize("seed", range(20))
def test_waiting_for_an_empty_process_ends_in_any_order_of_ends(seed: int) -> None:
    """Tasks of all lengths arrive without end; those that end are chosen at random."""
    chance = random.Random(seed)
    loads: list[tuple[Running, ...]] = [(LONG, UNKNOWN), (LONG, SHORT, SHORT), (UNKNOWN, LONG)]
    for _ in range(1000):
        for number, wanted in enumerate(choose(*loads, has_lone=True)):
            if wanted is not None and not wanted.shared:
                return
            if wanted is not None:
                loads[number] += (chance.choice([LONG, UNKNOWN]) if wanted.longest is None else BOUNDED,)
        busy = chance.randrange(len(loads))
        place = chance.randrange(len(loads[busy]))
        ends = loads[busy][place] != UNKNOWN or chance.random() < 0.5
        grown = (Running(0, 3600.0),) if not ends else ()
        loads[busy] = loads[busy][:place] + grown + loads[busy][place + 1 :]
    pytest.fail("no process has become empty")


def test_only_tasks_that_had_begun_lose_a_run_to_a_crash_and_none_to_a_kill() -> None:
    assert judge_ending(is_stopped=False, has_begun=True, was_killed=False) == Ending.LOST
    assert judge_ending(is_stopped=False, has_begun=False, was_killed=False) == Ending.RETURNED
    assert {judge_ending(False, begun, was_killed=True) for begun in (True, False)} == {Ending.RETURNED}


def test_task_that_was_to_end_keeps_its_verdict_when_its_process_ends() -> None:
    judged = {judge_ending(True, begun, killed) for begun in (True, False) for killed in (True, False)}
    assert judged == {Ending.STOPPED}
