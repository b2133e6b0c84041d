"""Steps of a supervisor and its device processes: the calls of workers/supervisor/loop.py, in every possible order."""

from __future__ import annotations

import re
from collections.abc import Iterator

from app.core.db import claims, leases, tasks
from app.core.db.leases import Lease
from app.core.db.tasks import LEASE_SECONDS, Claim
from app.core.storage.paths import PARTIAL, SOURCE, STEMS
from tests.faults.protocol.explorer import FAULT, GOOD, Step
from tests.faults.protocol.outside import may_return
from tests.faults.protocol.snapshots import Folder, Snapshots
from tests.faults.protocol.state import AT_WORK, DEAD, RUNNING, WRITING, State, Supervisor, Work, put
from tests.faults.protocol.stepped import FAILURE, LOST, NOTHING, OUTCOME, VERDICTS, Script, Stepper
from workers.supervisor.lease_watch import LeaseWatch


class Inside:
    """The steps of supervisors and their processes.

    ``lossy``: the answer to a commit may be lost with the connection, as on PostgreSQL. ``files``: tasks write stems.
    ``returns``: the highest claim number of a task that may be requeued without cost.
    """

    def __init__(self, snapshots: Snapshots, stepper: Stepper, lossy: bool, files: bool, returns: int) -> None:
        self._call = snapshots.call
        self._identifiers = snapshots.identifiers
        self._stepper = stepper
        self._lossy = lossy
        self._files = files
        self._returns = returns

    def processes(self, state: State, number: int) -> Iterator[Step]:
        """Steps of the device processes: write stems, rename them, send a verdict, or die."""
        one = state.supervisors[number]
        for slot, work in enumerate(one.slots):
            if work is None or work.phase in VERDICTS:
                continue
            who = f"{one.holder}'s process {slot}, claim {work.claim.claim_no}"
            place = self._identifiers.index(work.claim.uuid)
            for does, kind, phase, folder in self._next(state, work, state.folders[place] or frozenset()):
                after = state.supervisor(number, one._replace(slots=put(one.slots, slot, work._replace(phase=phase))))
                yield Step(f"{who}: {does}", kind, after if folder is None else after.folder(place, folder))

    def _next(self, state: State, work: Work, folder: frozenset[str]) -> Iterator[tuple[str, str, str, Folder]]:
        stems = f"{STEMS}-{work.claim.claim_no}"
        yield "dies", FAULT, LOST, None
        if work.phase == WRITING:
            if stems + PARTIAL in folder:
                yield "its stems are whole", GOOD, OUTCOME, folder - {stems + PARTIAL} | {stems}
            else:
                yield "its stems are gone", GOOD, FAILURE, None
            return
        if may_return(state, self._identifiers, work.claim, self._returns):
            yield "dies before it begins", FAULT, NOTHING, None
        yield "cannot decode the recording", GOOD, FAILURE, None
        if not self._files:
            yield "is done", GOOD, OUTCOME, None
        elif SOURCE in folder:
            earlier = rf"{STEMS}-[1-{work.claim.claim_no}]({re.escape(PARTIAL)})?"
            left = frozenset(name for name in folder if not re.fullmatch(earlier, name))
            yield "writes stems", GOOD, WRITING, left | {stems + PARTIAL}

    def loop(self, state: State, number: int) -> Iterator[Step]:
        """What Supervisor._serve_database, or at last _shut_down, does next."""
        one = state.supervisors[number]
        if one.life != RUNNING:
            return
        if one.script is not None:
            yield from self._scripted(state, number, one.script, one.slots)
            return
        unsettled = False
        for slot, work in enumerate(one.slots):
            if work is not None and work.phase in VERDICTS:
                unsettled = True
                script = Script("settle", (work.claim, work.phase))
                yield from self._scripted(state, number, script, put(one.slots, slot, None))
                if work.phase == OUTCOME:  # for example a NUL in its text
                    refused = one._replace(slots=put(one.slots, slot, work._replace(phase=FAILURE)))
                    yield Step(f"{one.holder}: the result is refused", FAULT, state.supervisor(number, refused))
        if one.ending:
            if not any(one.slots):
                yield Step(f"{one.holder} has stopped", GOOD, state.supervisor(number, Supervisor(DEAD, *one[1:3])))
            return
        yield from self._beat(state, number)
        yield from self._held(state, number)
        if None in one.slots and not unsettled:
            yield from self._claim(state, number)

    def _scripted(self, state: State, number: int, script: Script, slots: tuple[Work | None, ...]) -> Iterator[Step]:
        """Run one access of a script. If its answer is lost, a verdict is settled again; other scripts are abandoned."""
        one = state.supervisors[number]
        going = self._stepper.go_on(script, state.rows, state.folders)
        touched = state._replace(rows=going.rows, folders=going.folders).aged(self._identifiers, going.touch)
        label = f"{one.holder}: {script.does} {_short(script.to)}: {going.label}"
        onward = touched.supervisors[number]._replace(script=going.script, slots=slots)
        yield Step(label, GOOD, touched.supervisor(number, onward), going.touch)
        if self._lossy and going.touch is not None:
            again = script._replace(answers=()) if script.does == "settle" else None
            onward = one._replace(script=again, slots=slots)
            if one.ending:
                onward = Supervisor(DEAD, one.holder, (None,) * len(slots))
            yield Step(f"{label}, but the answer is lost", FAULT, touched.supervisor(number, onward), going.touch)

    def _beat(self, state: State, number: int) -> Iterator[Step]:
        """Supervisor._beat: renew leases, requeue unknown claims, take over lost tasks.

        It runs before verdicts are settled, and counts their claims as known.
        """
        one = state.supervisors[number]
        touch = self._call(state.rows, leases.renew, one.holder)
        renewed = state._replace(rows=touch.rows).aged(self._identifiers, touch)
        yield Step(f"{one.holder}: renew → {touch.answer}", GOOD, renewed, touch)
        known = tuple(sorted((work.claim.uuid, work.claim.claim_no) for work in one.slots if work))
        if touch.answer > len(known):
            yield from self._scripted(renewed, number, Script("give back", (one.holder, known)), one.slots)
        if lost := self._lost(state, one):  # other events may happen before it acts on this
            seen = state.supervisor(number, one._replace(script=Script("recover", lost)))
            yield Step(f"{one.holder}: sees that the leases of {_short(lost)} are lost", GOOD, seen)

    def _lost(self, state: State, watcher: Supervisor) -> tuple[Lease, ...]:
        """Return what LeaseWatch finds after more than 30 s in which all running supervisors renewed their leases."""
        held: tuple[Lease, ...] = self._call(state.rows, leases.list_other_leases, watcher.holder).answer
        if not held:
            return ()
        clock = 0.0
        watch = LeaseWatch(is_only_supervisor=len(state.supervisors) == 1, clock=lambda: clock)
        running = {each.holder for each in state.supervisors if each.life == RUNNING}
        found: list[Lease] = []
        for _ in range(5):
            found = watch.find_lost([Lease(h.claim, clock) if h.claim.holder in running else h for h in held])
            clock += LEASE_SECONDS / 3
        return tuple(found)

    def _held(self, state: State, number: int) -> Iterator[Step]:
        """Supervisor._kill_unheld: kill what works on a task that is no longer ours. And what a process reports."""
        one = state.supervisors[number]
        for slot, work in enumerate(one.slots):
            if work is None or work.phase in VERDICTS:
                continue
            touch = self._call(state.rows, tasks.report, work.claim, "separate", 0.5)
            yield Step(f"{one.holder}: report → {touch.answer}", GOOD, state._replace(rows=touch.rows), touch)
            held = self._call(state.rows, tasks.list_held, one.holder).answer
            if (work.claim.uuid, work.claim.claim_no) not in held:
                yield from self._scripted(state, number, Script("abandon", work.claim), put(one.slots, slot, None))

    def _claim(self, state: State, number: int) -> Iterator[Step]:
        one = state.supervisors[number]
        touch = self._call(state.rows, claims.claim, one.holder)
        if touch.answer is None:
            return
        claim = Claim(touch.answer.uuid, touch.answer.claim_no, one.holder)
        label = f"{one.holder}: claim → claim {claim.claim_no}"
        claimed = state._replace(rows=touch.rows).aged(self._identifiers, touch)
        taken = put(one.slots, one.slots.index(None), Work(claim, AT_WORK))
        onward = claimed.supervisors[number]._replace(slots=taken)
        yield Step(label, GOOD, claimed.supervisor(number, onward), touch)
        if self._lossy and claim.claim_no <= self._returns:
            yield Step(f"{label}, but the answer is lost", FAULT, claimed, touch)


def _short(to: object) -> str:
    """Describe the object of a script in a trace."""
    match to:
        case Claim():
            return f"claim {to.claim_no} of {to.holder}"
        case Lease():
            return _short(to.claim)
        case tuple():
            return ", ".join(filter(None, (_short(each) for each in to)))
    return str(to) if to in VERDICTS else ""
