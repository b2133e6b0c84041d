"""A setup to explore: the participants, the possible faults, and the check of all rules."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.core.db import leases
from app.core.db.states import QUEUED, TERMINAL
from tests.faults.protocol import rules
from tests.faults.protocol.devices import Devices
from tests.faults.protocol.explorer import FAULT, GOOD, Graph, Step, explore, require_end, require_turn, require_way_out
from tests.faults.protocol.inside import Inside
from tests.faults.protocol.outside import Outside
from tests.faults.protocol.published import Published
from tests.faults.protocol.snapshots import DUE, PAUSED, Snapshots
from tests.faults.protocol.state import COMMITTED, KEPT, RECEIVED, State, start
from tests.faults.protocol.stepped import Stepper
from tests.faults.protocol.strays import MOST_LOST_NODES, Strays

ALL = ("cancel", "delete", "purge")


class World:
    """A setup. ``faults``: how many may happen in one sequence, None for any number. Others: inside.py, outside.py."""

    def __init__(
        self,
        cache: Path,
        patch: pytest.MonkeyPatch,
        *,
        tasks: int = 1,
        supervisors: str = "A",
        slots: int = 1,
        places: int = 1,
        lengths: tuple[float, ...] = (),
        web: str = COMMITTED,
        faults: int | None = None,
        lossy: bool = False,
        files: bool = True,
        returns: int = 1,
        others: tuple[str, ...] = (),
        away: bool = False,
        strays: bool = False,
    ) -> None:
        patch.setattr(leases, "MAX_LOST_NODES", MOST_LOST_NODES)
        identifiers = tuple(f"00000000-0000-4000-8000-{number:012}" for number in range(tasks))
        snapshots = Snapshots(cache, identifiers)
        stepper = Stepper(snapshots, patch)
        self._inside = Inside(snapshots, stepper, lossy, returns, places, lengths)
        self._devices = Devices(snapshots, files, returns, away, strays)
        self._strays = Strays(snapshots) if strays else None
        self._outside = Outside(snapshots, stepper, others, returns)
        self._start = start(tasks, supervisors, slots, web, faults, places > 1)
        self._find = Published(snapshots).find if files else None
        self.snapshots = snapshots

    def check(self) -> Graph:
        """Explore and check all states.

        Raises ViolationError if a rule is broken, a task cannot end, or an unneeded folder is never removed.
        """
        graph = explore(self._start, self._steps, lambda before, step: rules.broken(before, step, self._find))
        require_way_out(graph, live, lambda state: not live(state), "the task never ends")
        require_end(graph, live)
        if "purge" in self._outside.others:
            require_way_out(graph, waste, lambda state: not waste(state), "the folder is never removed")
        if "again" in self._outside.others:
            require_turn(graph, waits, running, "task 0 waits for ever behind tasks that are sent later")
        return graph

    def _steps(self, state: State) -> Iterator[Step]:
        for step in self._all(state):
            if step.kind != FAULT or state.faults is None:
                yield step
            elif state.faults:
                yield step._replace(state=step.state._replace(faults=state.faults - 1))

    def _all(self, state: State) -> Iterator[Step]:
        for place, row in enumerate(state.rows):
            yield from self._outside.web(state, place)
            yield from self._outside.client(state, place)
            if row is not None and (row.status, row.pause) == (QUEUED, PAUSED):
                yield Step("the pause is over", GOOD, state.row(place, row._replace(pause=DUE)))
        yield from self._outside.purge(state)
        for number in range(len(state.supervisors)):
            yield from self._outside.fates(state, number)
            yield from self._devices.steps(state, number)
            yield from self._inside.loop(state, number)
            if self._strays:
                yield from self._strays.part(state, number)
        if self._strays:
            yield from self._strays.steps(state)


def live(state: State) -> bool:
    return any(row is not None and row.status not in TERMINAL for row in state.rows)


def waits(state: State) -> bool:
    """Whether task 0, the oldest, is ready to be claimed."""
    row = state.rows[0]
    return row is not None and row.status == QUEUED and row.pause != PAUSED


def running(state: State) -> frozenset[tuple[str, int]]:
    works = [work for one in state.supervisors for work in one.works()]
    return frozenset((work.claim.uuid, work.claim.claim_no) for work in works if work.goes_on)


def waste(state: State) -> bool:
    """Whether an unneeded folder exists: without a task, or of a task whose files were purged."""
    return any(
        folder is not None and at not in (RECEIVED, KEPT) and (row is None or row.purged)
        for row, folder, at in zip(state.rows, state.folders, state.web, strict=True)
    )
