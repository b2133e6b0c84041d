"""Explore all orders of events with the real functions on real rows, and check every state that can be reached.

The rules are in protocol/rules.py. From every state, a live task must be able to end without further faults. The second
half breaks the code in one place at a time, to show that the explorer finds such errors.
"""

from __future__ import annotations

import functools
import gc
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.core.db import claims, connection, leases, retention, tasks
from app.core.db.results import Result
from app.core.db.states import CANCELLED, COMPLETED
from app.core.db.tasks import Claim, Task
from app.core.storage.folder import Folder
from app.core.storage.stored_file import StoredFile
from tests.faults.protocol import rules
from tests.faults.protocol.explorer import ViolationError
from tests.faults.protocol.state import KEPT, RECEIVED
from tests.faults.protocol.world import ALL, World
from workers.supervisor import settlement, sharing
from workers.supervisor.lease_watch import LeaseWatch
from workers.supervisor.sharing import Ending, Load, Wanted, judge_ending

Make = Callable[..., World]

ONE = {"web": RECEIVED, "others": ALL}
TWO = {"supervisors": "AB", "files": False, "returns": 0}
SHARED: dict[str, Any] = {"places": 2, "files": False}
TWO_SHARE = SHARED | {"tasks": 2, "faults": 3}
HOUR, MINUTE = 3600.0, 60.0
ENDLESS = SHARED | {"tasks": 3, "others": ("again",), "faults": 1, "returns": 0}
LONG_ONES = ENDLESS | {"faults": 0, "lengths": (HOUR, MINUTE, MINUTE), "web": KEPT}
CUT_OFF: dict[str, Any] = {"strays": True, "others": ALL, "faults": 2}
WORLDS: dict[str, dict[str, Any]] = {
    "one supervisor, clients, purge, any number of faults": ONE,
    "two supervisors, any number of faults": TWO,
    "two supervisors on a database that loses answers, 2 faults": {
        "supervisors": "AB", "lossy": True, "others": ("cancel",), "faults": 2,
    },
    "two supervisors, delete, purge, 1 fault": {
        "supervisors": "AB", "others": ("delete", "purge"), "faults": 1,
    },
    "two supervisors of two slots, answers lost, 2 faults": {
        "supervisors": "AB", "slots": 2, "files": False, "lossy": True, "faults": 2,
    },
    "two tasks, two supervisors, answers lost, 1 fault": {
        "tasks": 2, "supervisors": "AB", "files": False, "lossy": True, "faults": 1,
    },
    "two tasks in one process, cancel, any number of faults": SHARED | {
        "tasks": 2, "others": ("cancel",), "returns": 0,
    },
    "two tasks in one process, cancel and delete, 1 fault": SHARED | {
        "tasks": 2, "files": True, "others": ("cancel", "delete"), "faults": 1,
    },
    "two tasks in processes of two supervisors, answers lost, 1 fault": SHARED | {
        "tasks": 2, "supervisors": "AB", "lossy": True, "faults": 1,
    },
    "three tasks in one process, 2 faults": SHARED | {"tasks": 3, "faults": 2, "returns": 0},
    "three tasks in two processes, 1 fault": SHARED | {"tasks": 3, "slots": 2, "faults": 1, "returns": 0},
    "three tasks in two processes, two of them long": SHARED | {
        "tasks": 3, "slots": 2, "lengths": (HOUR, HOUR, MINUTE), "faults": 0,
    },
    "a storage that does not answer, clients, purge, 2 faults": ONE | {"away": True, "faults": 2, "returns": 2},
    "a node is cut off and its run goes on, clients, purge, 2 faults": CUT_OFF,
    "two supervisors, runs go on after they are cut off, 2 faults": TWO | {"strays": True, "files": True, "faults": 2},
    "tasks without end, 1 fault": ENDLESS,
    "tasks without end, some of them long": LONG_ONES,
}  # fmt: skip


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    logging.disable(logging.CRITICAL)  # thousands of tasks are taken over
    gc.disable()  # a million tuples stay alive; the collector would scan them again and again
    yield functools.partial(World, tmp_path / "cache", monkeypatch)
    gc.enable()
    logging.disable(logging.NOTSET)
    connection.database.close()


@pytest.mark.parametrize("world", WORLDS)
def test_no_order_of_events_loses_or_doubles_a_result(
    world: str, make: Make, record_property: Callable[[str, object], None]
) -> None:
    began = time.monotonic()
    checked = make(**WORLDS[world])
    graph = checked.check()
    states, steps = len(graph.states), sum(map(len, graph.steps))
    record_property("states", states)
    counts = f"{states} states, {steps} transitions, {checked.snapshots.calls} calls of the database"
    print(f"{world}: {counts}, {time.monotonic() - began:.1f} s")
    assert states > 2000, "the exploration covers fewer states than before"


def ignoring_the_claim_number(monkeypatch: pytest.MonkeyPatch) -> None:
    def held_by(claim: Claim) -> Any:
        return (Task.uuid == claim.uuid) & (Task.holder == claim.holder) & (Task.status == "IN_PROGRESS")

    monkeypatch.setattr(tasks, "is_held_by", held_by)
    monkeypatch.setattr(leases, "is_held_by", held_by)


def finishing_by_claim_number_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(claim: Claim, **values: Any) -> bool:
        ours = (Task.uuid == claim.uuid) & (Task.claim_no == claim.claim_no)
        return tasks.update_one(Task.update(**values, **tasks.ended_values()).where(ours))

    monkeypatch.setattr(tasks, "_finish", finish)


def storing_the_results_of_lost_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    def complete(claim: Claim, result_type: str, result: str, *_: Any, **__: Any) -> bool:
        Result.insert(task=claim.uuid, result=result).on_conflict_replace().execute()
        return tasks._finish(claim, status=COMPLETED, result_type=result_type)

    monkeypatch.setattr(tasks, "complete", complete)


def taking_over_renewed_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    def take_over(lease: leases.Lease, message: str, pause: float) -> str | None:
        return leases.retry_or_fail(lease.claim, "worker_crashed", message, pause)

    monkeypatch.setattr(leases, "take_over", take_over)


def not_counting_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry_or_fail(claim: Claim, *_: Any, **__: Any) -> str | None:
        return leases.REQUEUED if tasks.requeue(claim) else None

    monkeypatch.setattr(leases, "retry_or_fail", retry_or_fail)


def counting_stops_as_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def requeue(claim: Claim) -> bool:
        return bool(
            tasks.update_one(
                Task.update(tasks.queued_values() | {Task.crashes: Task.crashes + 1}).where(tasks.is_held_by(claim))
            )
        )

    monkeypatch.setattr(tasks, "requeue", requeue)


def counting_outages_of_the_storage_as_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def postpone(claim: Claim, pause: float) -> bool:
        return leases.retry_or_fail(claim, "storage_unavailable", "It does not answer.", pause) is not None

    monkeypatch.setattr(tasks, "postpone", postpone)


def counting_lost_nodes_as_crashes(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry_elsewhere(claim: Claim, message: str, pause: float, **_: Any) -> str | None:
        return leases.retry_or_fail(claim, "worker_crashed", message, pause)

    monkeypatch.setattr(leases, "retry_elsewhere", retry_elsewhere)


def not_counting_lost_nodes(monkeypatch: pytest.MonkeyPatch) -> None:
    def retry_elsewhere(claim: Claim, _: str, pause: float, **__: Any) -> str | None:
        return leases.REQUEUED if tasks.postpone(claim, pause) else None

    monkeypatch.setattr(leases, "retry_elsewhere", retry_elsewhere)


def allowing_a_fourth_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leases, "MAX_ATTEMPTS", 4)


def reusing_claim_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    real = claims.claim

    def claim(*arguments: Any) -> Task | None:
        row = real(*arguments)
        if row is not None and row.claim_no > 1:
            Task.update(claim_no=row.claim_no - 1).where(Task.id == row.id).execute()
            row.claim_no -= 1
        return row

    monkeypatch.setattr(claims, "claim", claim)


def cancelling_ended_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancel(uuid: str) -> bool:
        return tasks.update_one(Task.update(status=CANCELLED, **tasks.ended_values()).where(Task.uuid == uuid))

    monkeypatch.setattr(tasks, "cancel", cancel)


def purging_live_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    def list_all(*_: Any) -> list[str]:
        return [row.uuid for row in Task.select(Task.uuid)]

    def mark_live(uuid: str) -> bool:
        return bool(Task.update(files_purged_at=4.0).where(Task.uuid == uuid).execute())

    monkeypatch.setattr(retention, "list_purgeable", list_all)
    monkeypatch.setattr(retention, "mark_purged", mark_live)


def removing_the_files_of_all_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "remove_claim", lambda self, identifier, claim_no: self.remove_partial(identifier))


def removing_the_stems_of_later_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "remove_earlier_stems", lambda self, identifier, _: self.remove_partial(identifier))


def showing_stems_of_any_claim(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Folder.list_stems

    def list_stems(self: Folder, identifier: str, claim_no: int) -> dict[str, StoredFile]:
        return next(filter(None, (real(self, identifier, number) for number in range(1, claim_no + 1))), {})

    monkeypatch.setattr(Folder, "list_stems", list_stems)


def keeping_the_folders_of_purged_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "keeps_files", lambda uuid: tasks.get(uuid) is not None)


def committing_before_storing_the_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Folder, "keep", lambda self, part, identifier: (self.path / identifier).mkdir())


def watching_no_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LeaseWatch, "find_lost", lambda *_: [])


def keeping_unknown_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "requeue_unknown", lambda *_: tasks.list_held("unknown"))


def claiming_tasks_that_lost_a_run_for_any_process(monkeypatch: pytest.MonkeyPatch) -> None:
    real = claims.claim

    def claim(holder: str, shared: bool, longest: float | None) -> Task | None:
        return real(holder, False, longest)

    monkeypatch.setattr(claims, "claim", claim)


def adding_to_a_task_that_lost_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def choose(loads: tuple[Load, ...], places: int, has_lone: bool) -> list[Wanted | None]:
        return [Wanted(bool(load.running)) if len(load.running) < places else None for load in loads]

    monkeypatch.setattr(sharing, "choose_claims", choose)


def losing_two_runs_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    adding_to_a_task_that_lost_a_run(monkeypatch)
    monkeypatch.setattr(rules, "_sharing", lambda *_: None)  # another rule would find it first


def claiming_the_oldest_task_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_has_crashed", lambda: Task.crashes < 0)


def never_emptying_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_choose_emptied", lambda _: None)


def keeping_the_last_place_for_short_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "_count_long", lambda load: len(load.running))


def giving_the_place_of_short_tasks_to_long_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    real = claims.claim

    def claim(holder: str, shared: bool, longest: float | None) -> Task | None:
        return real(holder, shared)

    monkeypatch.setattr(claims, "claim", claim)


def charging_the_neighbours_of_a_stopped_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "judge_ending", lambda is_stopped, *_: Ending.STOPPED if is_stopped else Ending.LOST)


def charging_tasks_that_have_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def judge(is_stopped: bool, has_begun: bool, was_killed: bool) -> Ending:
        return judge_ending(is_stopped, True, was_killed)

    monkeypatch.setattr(sharing, "judge_ending", judge)


BROKEN: list[tuple[Callable[[pytest.MonkeyPatch], None], dict[str, Any], str]] = [
    (
        ignoring_the_claim_number,
        {"supervisors": "AB", "slots": 2, "files": False, "faults": 2},
        "which holds nothing, changed",
    ),
    (finishing_by_claim_number_alone, {"others": ("cancel",), "faults": 0}, "was CANCELLED has changed to"),
    (storing_the_results_of_lost_claims, {"others": ("cancel",), "faults": 0}, "was CANCELLED has changed to"),
    (taking_over_renewed_leases, TWO, "take_over by A, claim 1, which holds nothing, changed a row"),
    (not_counting_crashes, TWO, "retry_or_fail changed crashes from 0 to 0"),
    (counting_stops_as_crashes, TWO | {"returns": 1}, "requeue changed crashes from 0 to 1"),
    (
        counting_outages_of_the_storage_as_crashes,
        {"away": True, "faults": 1},
        "postpone changed crashes from 0 to 1",
    ),
    (counting_lost_nodes_as_crashes, CUT_OFF | {"faults": 1}, "retry_elsewhere changed crashes from 0 to 1"),
    (not_counting_lost_nodes, CUT_OFF | {"faults": 1}, "retry_elsewhere changed lost_nodes from 0 to 0"),
    (allowing_a_fourth_attempt, TWO, "after 3 crashes a task is QUEUED"),
    (reusing_claim_numbers, TWO, "claim_no went from 1 to 1"),
    (cancelling_ended_tasks, {"others": ("cancel",), "faults": 0}, "has changed to CANCELLED"),
    (purging_live_tasks, {"others": ("cancel", "purge"), "faults": 1}, "a task that is QUEUED is marked as purged"),
    (removing_the_files_of_all_claims, {"supervisors": "AB", "faults": 2}, "completed without its files"),
    (removing_the_stems_of_later_claims, CUT_OFF | {"faults": 1}, "completed without its files"),
    (showing_stems_of_any_claim, CUT_OFF | {"faults": 1}, "the result is of claim 2, but clients get stems-1"),
    (keeping_the_folders_of_purged_tasks, CUT_OFF | {"faults": 1}, "the folder is never removed"),
    (committing_before_storing_the_upload, ONE, "the recording of a task that is QUEUED is gone"),
    (watching_no_leases, {"faults": 1}, "the task never ends"),
    (keeping_unknown_claims, {"lossy": True, "faults": 1}, "the task never ends"),
    (
        claiming_tasks_that_lost_a_run_for_any_process,
        TWO_SHARE | {"slots": 2},
        "a task that has lost a run shares a process",
    ),
    (adding_to_a_task_that_lost_a_run, TWO_SHARE, "a task that has lost a run shares a process"),
    (losing_two_runs_beside_others, TWO_SHARE, "a task has lost two runs beside others"),
    (claiming_the_oldest_task_first, TWO_SHARE, "a task that has lost a run is passed by another one"),
    (never_emptying_a_process, ENDLESS, "task 0 waits for ever behind tasks that are sent later"),
    (keeping_the_last_place_for_short_tasks, LONG_ONES, "task 0 waits for ever behind tasks that are sent later"),
    (giving_the_place_of_short_tasks_to_long_ones, LONG_ONES, "a long task has the place of a short one"),
    (
        charging_the_neighbours_of_a_stopped_task,
        TWO_SHARE | {"others": ("cancel",)},
        "a task loses a run for which it cannot be the cause",
    ),
    (charging_tasks_that_have_not_begun, TWO_SHARE, "a task loses a run for which it cannot be the cause"),
]


@pytest.mark.parametrize(("damage", "world", "violation"), BROKEN, ids=[damage.__name__ for damage, _, _ in BROKEN])
def test_explorer_finds_deliberate_errors(
    damage: Callable[[pytest.MonkeyPatch], None],
    world: dict[str, Any],
    violation: str,
    make: Make,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    damage(monkeypatch)
    with pytest.raises(ViolationError) as found:
        make(**world).check()
    sentence, *trace = str(found.value).splitlines()
    assert violation in sentence, found.value
    assert 0 < len(trace) < 25 and trace[0].startswith("  1. "), found.value
    print(found.value)
