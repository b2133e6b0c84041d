"""Steps of a supervisor: the calls of workers/supervisor/loop.py, in every possible order."""

from __future__ import annotations

from collections.abc import Iterator

from app.core.db import claims, leases, tasks
from app.core.db.leases import Lease
from app.core.db.tasks import LEASE_SECONDS, Claim
from tests.faults.protocol.devices import PHASES
from tests.faults.protocol.explorer import FAULT, GOOD, Step
from tests.faults.protocol.outside import may_return
from tests.faults.protocol.snapshots import Snapshots
from tests.faults.protocol.state import AT_WORK, DEAD, RUNNING, Process, State, Supervisor, Work, put
from tests.faults.protocol.stepped import FAILURE, LOST_BESIDE, NOTHING, OUTCOME, VERDICTS, Script, Stepper
from workers.supervisor import sharing
from workers.supervisor.lease_watch import LeaseWatch
from workers.supervisor.sharing import LONG_SECONDS, Load, Running, Wanted


class Inside:
    """The steps of supervisors.

    ``lossy``: the answer to a commit may be lost with the connection, as on PostgreSQL. ``returns``: the highest claim
    number of a task that may be requeued without cost. ``places``: tasks per process. ``lengths``: of the recordings, by
    task; empty if they never become known.
    """

    def __init__(
        self,
        snapshots: Snapshots,
        stepper: Stepper,
        lossy: bool,
        returns: int,
        places: int = 1,
        lengths: tuple[float, ...] = (),
    ) -> None:
        self._call = snapshots.call
        self._identifiers = snapshots.identifiers
        self._stepper = stepper
        self._lossy = lossy
        self._returns = returns
        self._places = places
        self._lengths = lengths
        self._chosen: dict[tuple[tuple[Load, ...], bool], list[Wanted | None]] = {}

    def loop(self, state: State, number: int) -> Iterator[Step]:
        """What Supervisor._serve_database, or at last _shut_down, does next."""
        one = state.supervisors[number]
        if one.life != RUNNING:
            return
        if one.script is not None:
            yield from self._scripted(state, number, one.script, one.processes)
            return
        unsettled = False
        for place, process in enumerate(one.processes):
            for work in process:
                if work.phase in VERDICTS:
                    unsettled = True
                    script = Script("settle", (work.claim, work.phase))
                    yield from self._scripted(state, number, script, one.change(place, (work, None)))
                    if work.phase == OUTCOME:  # for example a NUL in its text
                        refused = one._replace(processes=one.change(place, (work, work._replace(phase=FAILURE))))
                        yield Step(f"{one.holder}: the result is refused", FAULT, state.supervisor(number, refused))
        if one.ending:
            if not any(one.processes):
                yield Step(f"{one.holder} has stopped", GOOD, state.supervisor(number, Supervisor(DEAD, *one[1:3])))
            return
        yield from self._beat(state, number)
        for place, process in enumerate(one.processes):
            for work in process:
                if work.goes_on:
                    yield from self._watch(state, number, place, work)
        if not unsettled:
            yield from self._claim(state, number)

    def _scripted(self, state: State, number: int, script: Script, processes: tuple[Process, ...]) -> Iterator[Step]:
        """Run one access of a script. If its answer is lost, a verdict is settled again; other scripts are abandoned."""
        one = state.supervisors[number]
        going = self._stepper.go_on(script, state.rows, state.folders)
        touched = state._replace(rows=going.rows, folders=going.folders).aged(self._identifiers, going.touch)
        if going.touch and going.touch.name == "retry_or_fail" and going.touch.answer and script.to[1] == LOST_BESIDE:
            task = self._identifiers.index(script.to[0].uuid)
            touched = touched._replace(hit=put(touched.hit, task, touched.hit[task] + 1))
        label = f"{one.holder}: {script.does} {self._name(script.to)}: {going.label}"
        onward = touched.supervisors[number]._replace(script=going.script, processes=processes)
        yield Step(label, GOOD, touched.supervisor(number, onward), going.touch)
        if self._lossy and going.touch is not None:
            again = script._replace(answers=()) if script.does == "settle" else None
            onward = one._replace(script=again, processes=processes)
            if one.ending:
                onward = Supervisor(DEAD, one.holder, ((),) * len(processes))
            yield Step(f"{label}, but the answer is lost", FAULT, touched.supervisor(number, onward), going.touch)

    def _beat(self, state: State, number: int) -> Iterator[Step]:
        """Supervisor._beat: renew leases, requeue unknown claims, take over lost tasks.

        It runs before verdicts are settled, and counts their claims as known.
        """
        one = state.supervisors[number]
        touch = self._call(state.rows, leases.renew, one.holder)
        renewed = state._replace(rows=touch.rows).aged(self._identifiers, touch)
        yield Step(f"{one.holder}: renew → {touch.answer}", GOOD, renewed, touch)
        known = tuple(sorted((work.claim.uuid, work.claim.claim_no) for work in one.works()))
        if touch.answer > len(known):
            yield from self._scripted(renewed, number, Script("give back", (one.holder, known)), one.processes)
        if lost := self._lost(state, one):  # other events may happen before it acts on this
            seen = state.supervisor(number, one._replace(script=Script("recover", lost)))
            yield Step(f"{one.holder}: sees that the leases of {self._name(lost)} are lost", GOOD, seen)

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

    def _watch(self, state: State, number: int, place: int, work: Work) -> Iterator[Step]:
        """What a run reports, and why it is stopped: its thread ends, or hangs until its process is killed.

        A run that is stopped works on until then. Without neighbours, both ways of ending are the same for the database.
        """
        one = state.supervisors[number]
        task = self._identifiers.index(work.claim.uuid)
        facts = {"audio_duration": self._lengths[task]} if self._lengths else {}
        touch = self._call(state.rows, tasks.report, work.claim, "separate", 0.5, **facts)
        label = f"{one.holder}: report of {self._name(work.claim)} → {touch.answer}"
        yield Step(label, GOOD, state._replace(rows=touch.rows), touch)
        neighbours = [each for each in one.processes[place] if each.goes_on and each != work]
        may_kill = neighbours and all(self._may_return(state, each) for each in neighbours)
        spared = tuple(each.claim for each in neighbours)
        ended = [(each, each._replace(phase=PHASES[sharing.judge_ending(False, True, True)])) for each in neighbours]
        if (work.claim.uuid, work.claim.claim_no) not in self._call(state.rows, tasks.list_held, one.holder).answer:
            script = Script("abandon", work.claim)  # cancelled, deleted or taken over
            yield from self._scripted(state, number, script, one.change(place, (work, None)))
            if may_kill:
                step = next(self._scripted(state, number, script, one.change(place, (work, None), *ended)))
                yield step._replace(label=f"{step.label}; it hangs, killed", kind=FAULT, spares=spared)
            return
        if may_kill:  # without neighbours, this is a failure like any other
            stopped = work._replace(phase=PHASES[sharing.judge_ending(True, True, True)])
            killed = one._replace(processes=one.change(place, (work, stopped), *ended))
            label = f"{one.holder}: {self._name(work.claim)} hangs past its deadline, killed"
            yield Step(label, FAULT, state.supervisor(number, killed), spares=spared)
        row = state.rows[task]
        if work.bounded and row is not None and row.audio_duration is not None and row.audio_duration > LONG_SECONDS:
            short = one._replace(processes=one.change(place, (work, work._replace(phase=NOTHING))))
            label = f"{one.holder}: {self._name(work.claim)} is too long for its place, its thread ends"
            yield Step(label, GOOD, state.supervisor(number, short))

    def _may_return(self, state: State, work: Work) -> bool:
        return may_return(state, self._identifiers, work.claim, self._returns)

    def _claim(self, state: State, number: int) -> Iterator[Step]:
        """Claim a task for each process that may take one, in any order; equal processes count as one."""
        one = state.supervisors[number]
        loads = tuple(Load(tuple(self._load(state, work) for work in process)) for process in one.processes)
        key = loads, self._places > 1 and self._call(state.rows, claims.has_lone).answer
        if key not in self._chosen:
            self._chosen[key] = sharing.choose_claims(key[0], self._places, key[1])
        for place, wanted in enumerate(self._chosen[key]):
            if wanted is None or one.processes[place] in one.processes[:place]:
                continue
            touch = self._call(state.rows, claims.claim, one.holder, wanted.shared, wanted.longest)
            if touch.answer is None:
                continue
            claim = Claim(touch.answer.uuid, touch.answer.claim_no, one.holder)
            row = state.rows[self._identifiers.index(claim.uuid)]
            assert row is not None
            crashed, bounded = self._places > 1 and row.crashes > 0, wanted.longest is not None
            taken = one.add(place, Work(claim, AT_WORK, crashed, bounded))
            label = f"{one.holder}: claim for process {place} → {self._name(claim)}"
            claimed = state._replace(rows=touch.rows).aged(self._identifiers, touch)
            onward = claimed.supervisors[number]._replace(processes=taken)
            yield Step(label, GOOD, claimed.supervisor(number, onward), touch)
            if self._lossy and claim.claim_no <= self._returns:
                yield Step(f"{label}, but the answer is lost", FAULT, claimed, touch)

    def _load(self, state: State, work: Work) -> Running:
        row = state.rows[self._identifiers.index(work.claim.uuid)]
        known = row.audio_duration if row is not None else None
        return Running(int(work.crashed), known, LONG_SECONDS if work.bounded else None)

    def _name(self, to: object) -> str:
        """Describe the object of a script in a trace."""
        match to:
            case Claim():
                return f"task {self._identifiers.index(to.uuid)}, claim {to.claim_no} of {to.holder}"
            case Lease():
                return self._name(to.claim)
            case tuple():
                return "; ".join(filter(None, (self._name(each) for each in to)))
        return str(to) if to in VERDICTS else ""
