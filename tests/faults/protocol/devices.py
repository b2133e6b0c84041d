"""Steps of device processes: they work, run out of memory, die with all that they run, or lose their node."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from app.core.storage.paths import PARTIAL, SOURCE, stems_name
from tests.faults.protocol.explorer import FAULT, GOOD, Step
from tests.faults.protocol.outside import may_return
from tests.faults.protocol.snapshots import Folder, Snapshots
from tests.faults.protocol.state import AT_WORK, WRITING, State, Work
from tests.faults.protocol.stepped import AWAY, FAILURE, LOST, LOST_BESIDE, NODE_LOST, NOTHING, OUTCOME
from workers.supervisor import sharing
from workers.supervisor.sharing import Ending

PHASES = {Ending.STOPPED: FAILURE, Ending.LOST: LOST, Ending.RETURNED: NOTHING}


class Devices:
    """``files``: tasks write stems. ``returns``: see inside.py. ``away``: the storage may not answer them.

    ``strays``: nodes may be lost, and the runs on them go on (strays.py).
    """

    def __init__(
        self, snapshots: Snapshots, files: bool, returns: int, away: bool = False, strays: bool = False
    ) -> None:
        self._snapshots = snapshots
        self._identifiers = snapshots.identifiers
        self._files = files
        self._returns = returns
        self._away = away
        self._strays = strays

    def steps(self, state: State, number: int) -> Iterator[Step]:
        one = state.supervisors[number]
        for place, process in enumerate(one.processes):
            running = [work for work in process if work.goes_on]
            for work in running:
                task = self._identifiers.index(work.claim.uuid)
                who = f"{one.holder}'s process {place}, task {task}, claim {work.claim.claim_no}"
                for does, phase, folder in self._work(work, task, state.folders[task] or frozenset()):
                    after = _change(state, number, place, (work, phase))
                    yield Step(f"{who}: {does}", GOOD, after if folder is None else after.folder(task, folder))
                if self._away and may_return(state, self._identifiers, work.claim, self._returns):
                    after = _change(state, number, place, (work, AWAY))
                    yield Step(f"{who}: the storage does not answer", FAULT, after)
                if len(running) > 1:
                    after = _change(state, number, place, (work, LOST_BESIDE))
                    yield Step(f"{who}: runs out of memory twice beside others", FAULT, after)
            if running:
                yield from self._die(state, number, place, running)
            if running and self._strays:
                yield from self._lose_node(state, number, place, running)

    def _work(self, work: Work, task: int, folder: frozenset[str]) -> Iterator[tuple[str, str, Folder]]:
        """Write stems, rename them, send a verdict."""
        stems = stems_name(work.claim.claim_no)
        if work.phase == WRITING:
            if stems + PARTIAL in folder:
                yield "its stems are whole", OUTCOME, folder - {stems + PARTIAL} | {stems}
            else:
                yield "its stems are gone", FAILURE, None
            return
        yield "cannot decode the recording, or is past its deadline", FAILURE, None
        if not self._files:
            yield "is done", OUTCOME, None
        elif SOURCE in folder:
            yield "writes stems", WRITING, begin_stems(self._snapshots, folder, task, work.claim.claim_no)

    def _die(self, state: State, number: int, place: int, running: list[Work]) -> Iterator[Step]:
        """Each task may have begun or not."""
        for begun in itertools.product((True, False), repeat=len(running)):
            pairs = list(zip(running, begun, strict=True))
            if not all(has_begun or self._may_return(state, work) for work, has_begun in pairs):
                continue
            lost = LOST_BESIDE if len(running) > 1 else LOST
            phases = PHASES | {Ending.LOST: lost}
            ended = [(work, phases[sharing.judge_ending(False, has_begun, False)]) for work, has_begun in pairs]
            after = _change(state, number, place, *ended)
            names = ", ".join(f"task {self._identifiers.index(work.claim.uuid)} {phase}" for work, phase in ended)
            label = f"{state.supervisors[number].holder}'s process {place} dies: {names}"
            yield Step(label, FAULT, after, spares=tuple(work.claim for work, has_begun in pairs if not has_begun))

    def _lose_node(self, state: State, number: int, place: int, running: list[Work]) -> Iterator[Step]:
        """Each task may have begun for its supervisor or not, or be past its deadline; its run goes on in any case."""
        choices = [[Ending.LOST, Ending.STOPPED, *[Ending.RETURNED] * self._may_return(state, w)] for w in running]
        for endings in itertools.product(*choices):
            phases = PHASES | {Ending.LOST: NODE_LOST}
            ended = [(work, phases[ending]) for work, ending in zip(running, endings, strict=True)]
            after = _change(state, number, place, *ended).cut_off(self._identifiers, running)
            names = ", ".join(f"task {self._identifiers.index(work.claim.uuid)} {phase}" for work, phase in ended)
            yield Step(f"{state.supervisors[number].holder}'s process {place} loses its node: {names}", FAULT, after)

    def _may_return(self, state: State, work: Work) -> bool:
        return work.phase == AT_WORK and may_return(state, self._identifiers, work.claim, self._returns)


def begin_stems(snapshots: Snapshots, folder: Folder, task: int, claim_no: int) -> frozenset[str]:
    """Remove stems of earlier claims, and begin those of a claim."""
    identifier = snapshots.identifiers[task]
    left = snapshots.disk(folder, identifier, snapshots.storage.remove_earlier_stems, identifier, claim_no)
    return (left or frozenset()) | {stems_name(claim_no) + PARTIAL}


def _change(state: State, number: int, place: int, *phases: tuple[Work, str]) -> State:
    one = state.supervisors[number]
    changed = one.change(place, *((work, work._replace(phase=phase)) for work, phase in phases))
    return state.supervisor(number, one._replace(processes=changed))
