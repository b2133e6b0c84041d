"""The state of the whole service, reduced to what the protocol depends on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

from app.core.db.leases import Lease
from app.core.db.states import QUEUED
from app.core.db.tasks import Claim
from app.core.storage.paths import SOURCE
from tests.faults.protocol.snapshots import STALE_LEASE, Folder, Row, Rows, Touch
from tests.faults.protocol.stepped import Script

AT_WORK, WRITING = "at work", "writing"  # of a device process, and then one of the verdicts (stepped.py)
RUNNING, STOPPED, DEAD = "running", "stopped", "dead"
RECEIVED, KEPT, COMMITTED, GONE = "received", "kept", "committed", "gone"  # of the web side's request


class Work(NamedTuple):
    """A run of a task in a device process, or its verdict that the supervisor has not written yet.

    ``crashed``: an earlier run of the task was lost. ``bounded``: it has a place for short recordings.
    """

    claim: Claim
    phase: str
    crashed: bool = False
    bounded: bool = False

    @property
    def goes_on(self) -> bool:
        return self.phase in (AT_WORK, WRITING)


Process = tuple[Work, ...]  # in the order of the claims


class Supervisor(NamedTuple):
    """A supervisor. ``script`` is the call in progress, which continues after SIGCONT."""

    life: str
    holder: str
    processes: tuple[Process, ...]
    script: Script | None = None
    ending: bool = False

    def works(self) -> list[Work]:
        return [work for process in self.processes for work in process]

    def change(self, number: int, *changed: tuple[Work, Work | None]) -> tuple[Process, ...]:
        """Return the processes with works of process ``number`` replaced, or removed by None."""
        new = dict(changed)
        process = [new.get(work, work) for work in self.processes[number]]
        return put(self.processes, number, tuple(work for work in process if work is not None))  # type: ignore[no-any-return]

    def add(self, number: int, work: Work) -> tuple[Process, ...]:
        process = sorted([*self.processes[number], work], key=lambda each: (each.claim.uuid, each.claim.claim_no))
        return put(self.processes, number, tuple(process))  # type: ignore[no-any-return]


class Stray(NamedTuple):
    """A run that no supervisor can reach any more. One that has ended is the same as one that never goes on."""

    task: int
    claim_no: int
    phase: str


class State(NamedTuple):
    """Rows, folders and requests by task, and the calls in progress."""

    rows: Rows
    folders: tuple[Folder, ...]
    web: tuple[str, ...]
    supervisors: tuple[Supervisor, ...]
    purge: Script | None = None
    deleting: Script | None = None
    removed: tuple[bool, ...] = ()  # whether a client or the purge has removed the row
    faults: int | None = None  # how many may still happen; None for any number
    hit: tuple[int, ...] = ()  # by task, how many runs it lost beside others; empty if processes are not shared
    strays: tuple[Stray, ...] = ()

    def row(self, place: int, row: Row) -> State:
        return self._replace(rows=put(self.rows, place, row))

    def folder(self, place: int, folder: Folder) -> State:
        return self._replace(folders=put(self.folders, place, folder))

    def request(self, place: int, at: str) -> State:
        return self._replace(web=put(self.web, place, at))

    def supervisor(self, number: int, supervisor: Supervisor) -> State:
        return self._replace(supervisors=put(self.supervisors, number, supervisor))

    def cut_off(self, identifiers: tuple[str, ...], works: list[Work]) -> State:
        """Let ``works`` go on as strays."""
        more = [Stray(identifiers.index(work.claim.uuid), work.claim.claim_no, work.phase) for work in works]
        return self._replace(strays=tuple(sorted([*self.strays, *more])))

    def aged(self, identifiers: tuple[str, ...], touch: Touch | None) -> State:
        """Apply the effects of ``touch`` on others: a renewed lease is no longer the one that they saw."""
        if touch is None:
            return self

        def stale(lease: Lease) -> Lease:
            return Lease(lease.claim, STALE_LEASE) if lease.claim.uuid in touch.renewed else lease

        state = self
        if touch.renewed:
            state = self._replace(supervisors=tuple(_with_leases(s, stale) for s in self.supervisors))
        if touch.name in ("delete", "delete_ended") and touch.answer:
            state = state._replace(removed=put(state.removed, identifiers.index(touch.arguments[0]), True))
        return state


def start(tasks: int, supervisors: str, slots: int, web: str, faults: int | None, shared: bool) -> State:
    """The first state: for each task, an upload was received or stored, or its row is committed."""
    rows: Rows = (None,) * tasks
    folders: tuple[Folder, ...] = (None,) * tasks
    if web in (KEPT, COMMITTED):
        folders = (frozenset({SOURCE}),) * tasks
    if web == COMMITTED:
        rows = (Row(QUEUED, 0, 0, None, False, None, False, False, False, None, None),) * tasks
    serving = tuple(Supervisor(RUNNING, name, ((),) * slots) for name in supervisors)
    state = State(rows, folders, (web,) * tasks, serving, removed=(False,) * tasks, faults=faults)
    return state._replace(hit=(0,) * tasks) if shared else state


def put(values: tuple[Any, ...], place: int, value: Any) -> Any:
    return (*values[:place], value, *values[place + 1 :])


def renamed(state: State, name: str) -> State:
    """Rename the claims of a dead supervisor, because its name is never used again."""
    leases = [lease for s in state.supervisors if s.script and s.script.does == "recover" for lease in s.script.to]
    written = {row.holder for row in state.rows if row} | {lease.claim.holder for lease in leases}
    borne = sorted(holder for holder in written if holder is not None and holder.startswith(name))
    older = {holder: name + "'" * age for age, holder in enumerate(borne, 1)}
    rows = tuple(row and row._replace(holder=older.get(str(row.holder), row.holder)) for row in state.rows)

    def by(lease: Lease) -> Lease:
        holder = lease.claim.holder
        return Lease(replace(lease.claim, holder=older.get(holder, holder)), lease.expires)

    return state._replace(rows=rows, supervisors=tuple(_with_leases(s, by) for s in state.supervisors))


def _with_leases(supervisor: Supervisor, change: Callable[[Lease], Lease]) -> Supervisor:
    script = supervisor.script
    if script is None or script.does != "recover":
        return supervisor
    return supervisor._replace(script=script._replace(to=tuple(change(lease) for lease in script.to)))
