"""Steps of strays: runs that go on where no supervisor can reach them, until they have written their stems.

Their verdicts never arrive. No step of a stray is needed for a task to end, and none can be repeated for ever.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.core.storage.paths import PARTIAL, stems_name
from tests.faults.protocol.devices import begin_stems
from tests.faults.protocol.explorer import CLIENT, FAULT, Step
from tests.faults.protocol.snapshots import Folder, Snapshots
from tests.faults.protocol.state import DEAD, RUNNING, WRITING, State, Stray, Supervisor

MOST_LOST_NODES = 2  # in place of leases.MAX_LOST_NODES, which would make too many states


class Strays:
    """The steps of strays, in a folder and in a bucket."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def steps(self, state: State) -> Iterator[Step]:
        for place, stray in enumerate(state.strays):
            others = (*state.strays[:place], *state.strays[place + 1 :])
            for does, going, folder in self._go_on(stray, state.folders[stray.task]):
                strays = others if going is None else tuple(sorted((*others, going)))
                label = f"stray of task {stray.task}, claim {stray.claim_no}: {does}"
                yield Step(label, CLIENT, state._replace(strays=strays).folder(stray.task, folder))

    def _go_on(self, stray: Stray, folder: Folder) -> Iterator[tuple[str, Stray | None, Folder]]:
        stems = stems_name(stray.claim_no)
        if stray.phase == WRITING:
            if stems + PARTIAL in (folder or ()):
                yield "its stems are whole", None, (folder or frozenset()) - {stems + PARTIAL} | {stems}
            else:
                yield "its stems are gone", None, folder
            return
        begun = begin_stems(self._snapshots, folder, stray.task, stray.claim_no)
        if folder is not None:
            yield "writes stems", stray._replace(phase=WRITING), begun
        # they appear as a whole there, also if nothing else of the task is left
        yield "its stems arrive in the bucket", None, begun - {stems + PARTIAL} | {stems}

    def part(self, state: State, number: int) -> Iterator[Step]:
        """The machine of a supervisor is cut off: it ends, its runs go on for a while."""
        one = state.supervisors[number]
        works = [work for work in one.works() if work.goes_on]
        if one.life == RUNNING and works:
            idle = Supervisor(DEAD, one.holder, ((),) * len(one.processes))
            after = state.supervisor(number, idle).cut_off(self._snapshots.identifiers, works)
            yield Step(f"{one.holder} is cut off and ends", FAULT, after)
