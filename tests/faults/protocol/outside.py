"""Steps of the web side, clients and the purge, and signals to a supervisor."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.db import tasks
from app.core.db.states import TERMINAL
from app.core.db.tasks import Claim
from app.core.storage.paths import SOURCE
from tests.faults.protocol.explorer import CLIENT, FAULT, GOOD, Step
from tests.faults.protocol.snapshots import Snapshots
from tests.faults.protocol.state import (
    COMMITTED,
    DEAD,
    GONE,
    KEPT,
    RECEIVED,
    RUNNING,
    STOPPED,
    Process,
    State,
    Supervisor,
    put,
    renamed,
)
from tests.faults.protocol.stepped import NOTHING, VERDICTS, Script, Stepper


def may_return(state: State, identifiers: tuple[str, ...], claim: Claim, returns: int) -> bool:
    """Whether to explore a requeue of ``claim`` without cost, which could otherwise repeat endlessly."""
    row = state.rows[identifiers.index(claim.uuid)]
    return row is None or row.claim_no <= returns or row.status in TERMINAL or row.claim_no != claim.claim_no


class Outside:
    """The steps outside the loop of a supervisor.

    ``others`` selects from "cancel", "delete", "purge", and "again": clients send new tasks without end.
    """

    def __init__(self, snapshots: Snapshots, stepper: Stepper, others: tuple[str, ...], returns: int) -> None:
        self._snapshots = snapshots
        self._identifiers = snapshots.identifiers
        self._stepper = stepper
        self.others = others
        self._returns = returns

    def web(self, state: State, place: int) -> Iterator[Step]:
        """Store folder and source, then the row (app/submission/accept.py); the answer to the client changes no state."""
        at, identifier = state.web[place], self._identifiers[place]
        if at == RECEIVED:
            kept = self._snapshots.disk(None, identifier, self._snapshots.store_upload, identifier)
            yield Step("web: upload stored", GOOD, state.request(place, KEPT).folder(place, kept))
            half = state.request(place, GONE).folder(place, frozenset())
            yield Step("web: killed while it stores", FAULT, half)
        if at == KEPT:
            touch = self._snapshots.call(state.rows, tasks.submit, identifier, "bgm-separation", {}, "a.wav", [])
            yield Step("web: submit", GOOD, state.request(place, COMMITTED)._replace(rows=touch.rows), touch)
            yield Step("web: killed", FAULT, state.request(place, GONE))

    def client(self, state: State, place: int) -> Iterator[Step]:
        """Cancel and delete a task at any moment (app/api/tasks.py)."""
        identifier = self._identifiers[place]
        if state.rows[place] is not None and "cancel" in self.others:
            touch = self._snapshots.call(state.rows, tasks.cancel, identifier)
            yield Step(f"client: cancel → {touch.answer}", CLIENT, state._replace(rows=touch.rows), touch)
        if state.rows[place] is not None and state.deleting is None and "delete" in self.others:
            yield self._scripted(state, CLIENT, "deleting", Script("delete", identifier))
        if "again" in self.others:
            yield from self._again(state, place)
        if place == 0 and state.deleting is not None:
            yield self._scripted(state, GOOD, "deleting", state.deleting)
            yield Step("web: killed while it deletes", FAULT, state._replace(deleting=None))

    def _again(self, state: State, place: int) -> Iterator[Step]:
        """A new task in place of one that has ended and is in use nowhere. Task 0 stays, to wait for its turn."""
        row, identifier = state.rows[place], self._identifiers[place]
        if place == 0 or row is None or row.status not in TERMINAL or any(one.script for one in state.supervisors):
            return
        if all(work.claim.uuid != identifier for one in state.supervisors for work in one.works()):
            rows = put(state.rows, place, None)
            fresh = state._replace(rows=rows, hit=put(state.hit, place, 0)).request(place, KEPT)
            yield Step(f"client: another task {place}", CLIENT, fresh.folder(place, frozenset({SOURCE})))

    def purge(self, state: State) -> Iterator[Step]:
        """Purge (workers/supervisor/purge.py). A folder without a row is old only if its request has ended."""
        if "purge" not in self.others:
            return
        if state.purge is not None:
            yield self._scripted(state, GOOD, "purge", state.purge)
            yield Step("purge: killed", FAULT, state._replace(purge=None))
            return
        if any(row is not None for row in state.rows):
            yield self._scripted(state, CLIENT, "purge", Script("purge", None))
            yield self._scripted(state, CLIENT, "purge", Script("forget", None))
        for place, identifier in enumerate(self._identifiers):
            if state.folders[place] is not None and state.web[place] not in (RECEIVED, KEPT):
                yield self._scripted(state, GOOD, "purge", Script("sweep", identifier))

    def _scripted(self, state: State, kind: str, field: str, script: Script) -> Step:
        going = self._stepper.go_on(script, state.rows, state.folders)
        after = state._replace(rows=going.rows, folders=going.folders, **{field: going.script})  # type: ignore[arg-type]
        return Step(f"{script.does}: {going.label}", kind, after.aged(self._identifiers, going.touch), going.touch)

    def fates(self, state: State, number: int) -> Iterator[Step]:
        """Signals to a supervisor, and restarts. Its device processes die with it and continue while it is suspended."""
        one = state.supervisors[number]
        idle: tuple[Process, ...] = ((),) * len(one.processes)
        if one.life == DEAD:
            fresh = renamed(state, one.holder).supervisor(number, Supervisor(RUNNING, one.holder, idle))
            yield Step(f"{one.holder} is started again", GOOD, fresh)
            return
        yield Step(f"{one.holder}: SIGKILL", FAULT, state.supervisor(number, Supervisor(DEAD, one.holder, idle)))
        if one.life == STOPPED:
            # required only if all supervisors are suspended
            kind = GOOD if all(each.life == STOPPED for each in state.supervisors) else CLIENT
            yield Step(f"{one.holder}: SIGCONT", kind, state.supervisor(number, one._replace(life=RUNNING)))
            return
        if any(one.processes) or one.script:
            yield Step(f"{one.holder}: SIGSTOP", FAULT, state.supervisor(number, one._replace(life=STOPPED)))
        if not one.ending and (one.script is None or not one.script.answers):
            yield from self._told_to_stop(state, number, one)

    def _told_to_stop(self, state: State, number: int, one: Supervisor) -> Iterator[Step]:
        """Supervisor._shut_down: all processes with a task are killed; what they have said is settled where it was heard."""
        if not all(may_return(state, self._identifiers, work.claim, self._returns) for work in one.works()):
            return
        for heard in (False, True):
            ended = tuple(
                tuple(work if heard and work.phase in VERDICTS else work._replace(phase=NOTHING) for work in process)
                for process in one.processes
            )
            after = state.supervisor(number, one._replace(processes=ended, ending=True))
            yield Step(f"{one.holder}: SIGTERM", FAULT, after)
