"""The rules that must hold for every step and in every state."""

from __future__ import annotations

from collections.abc import Callable

from app.core.db.leases import Lease
from app.core.db.states import COMPLETED, FAILED, IN_PROGRESS, MAX_ATTEMPTS, QUEUED, TERMINAL
from app.core.db.tasks import Claim
from app.core.storage.paths import SOURCE, stems_name
from tests.faults.protocol.explorer import Step
from tests.faults.protocol.snapshots import PAUSED, SEEN_LEASE, Folder, Row, Touch
from tests.faults.protocol.state import COMMITTED, State
from tests.faults.protocol.stepped import LOST, LOST_BESIDE
from tests.faults.protocol.strays import MOST_LOST_NODES

COUNTED = ("retry_or_fail", "take_over")
Find = Callable[[Row, Folder], frozenset[str]]  # the names of the stems that clients get


def broken(before: State, step: Step, find: Find | None) -> str | None:
    """Return the first rule that ``step`` breaks, or None. ``find`` is None if tasks have no stems."""
    after: State = step.state
    for place, row in enumerate(after.rows):
        was, folder = before.rows[place], after.folders[place]
        problem = _changes(was, row, step.touch) if row is not None and row != was else None
        if row is not None:
            problem = problem or _row(row) or _files(row, folder, find)
        elif after.web[place] == COMMITTED and not after.removed[place]:
            problem = "an acknowledged task is missing"
        if problem:
            return problem
    if any(runs > 1 for runs in after.hit):
        return "a task has lost two runs beside others"
    if any(
        work.claim in step.spares and work.phase in (LOST, LOST_BESIDE)
        for one in after.supervisors
        for work in one.works()
    ):
        return "a task loses a run for which it cannot be the cause"
    if step.touch is None:
        return None
    return _writer(before, step.touch) or _sharing(before, after, step.touch)


def _sharing(before: State, after: State, touch: Touch) -> str | None:
    """Check what a claim puts into a process."""
    if touch.name != "claim":
        return None
    for process in (process for one in after.supervisors for process in one.processes):
        running = [work for work in process if work.goes_on]
        if len(running) > 1 and any(work.crashed for work in running):
            return "a task that has lost a run shares a process"
    _, shared, longest = touch.arguments
    place = next(place for place, row in enumerate(after.rows) if row is not None and row != before.rows[place])
    claimed = before.rows[place]
    assert claimed is not None
    if longest is not None and claimed.audio_duration is not None and claimed.audio_duration > longest:
        return "a long task has the place of a short one"
    ready = [row for row in before.rows if row is not None and (row.status, row.pause != PAUSED) == (QUEUED, True)]
    if not shared and not claimed.crashes and any(row.crashes for row in ready):
        return "a task that has lost a run is passed by another one"
    return None


def _changes(was: Row | None, row: Row, touch: Touch | None) -> str | None:
    if was is None:
        return None if touch and touch.name == "submit" else "a task exists without a submit"
    counted = touch is not None and touch.name in COUNTED
    if was.status in TERMINAL and was._replace(purged=True) != row._replace(purged=True):
        return f"a task that was {was.status} has changed to {row.status}"
    if row.claim_no != was.claim_no + (touch is not None and touch.name == "claim"):
        return f"claim_no went from {was.claim_no} to {row.claim_no}"
    if row.crashes != was.crashes + counted:
        return f"{touch.name if touch else 'nothing'} changed crashes from {was.crashes} to {row.crashes}"
    gone = touch is not None and touch.name == "retry_elsewhere" and row.status == QUEUED
    if row.lost_nodes != was.lost_nodes + gone:
        return f"{touch.name if touch else 'nothing'} changed lost_nodes from {was.lost_nodes} to {row.lost_nodes}"
    if row.status == COMPLETED != was.status and (touch is None or touch.name != "complete"):
        return "completed without a result being committed"
    return None


def _row(row: Row) -> str | None:
    if (row.holder is not None, row.leased) != (row.status == IN_PROGRESS,) * 2:
        return f"a task that is {row.status} has holder {row.holder}, lease {row.leased}"
    if row.finished != (row.status in TERMINAL):
        return f"a task that is {row.status} has an end: {row.finished}"
    if (row.result is not None) != (row.status == COMPLETED) or (row.error_code is not None) != (row.status == FAILED):
        return f"a task that is {row.status} has result {row.result}, error {row.error_code}"
    if row.purged and row.status not in TERMINAL:
        return f"a task that is {row.status} is marked as purged"
    if row.status == COMPLETED and row.result != str(row.claim_no):
        return f"claim {row.claim_no} is completed with the result of claim {row.result}"
    third = row.crashes >= MAX_ATTEMPTS
    given_up = row.status == FAILED and row.error_code == "worker_crashed"
    last = row.lost_nodes == MOST_LOST_NODES - 1
    if row.crashes > MAX_ATTEMPTS or (third and not given_up) or (given_up and not (third or last)):
        return f"after {row.crashes} crashes a task is {row.status} with error {row.error_code}"
    if row.lost_nodes >= MOST_LOST_NODES:
        return f"after {row.lost_nodes} lost nodes a task is {row.status}"
    return None


def _files(row: Row, folder: Folder, find: Find | None) -> str | None:
    if row.status not in TERMINAL and SOURCE not in (folder or ()):
        return f"the recording of a task that is {row.status} is gone"
    if find is not None and row.status == COMPLETED and not row.purged:
        found = find(row, folder)
        if not found:
            return "a task is completed without its files"
        if found != {stems_name(row.claim_no)}:
            return f"the result is of claim {row.claim_no}, but clients get {', '.join(sorted(found))}"
    return None


def _writer(before: State, touch: Touch) -> str | None:
    """Check that a claim changes only the row that it holds, and that a take-over changes only the lease that was seen."""
    holder = next((each for each in touch.arguments if isinstance(each, Claim | Lease)), None)
    claim = holder.claim if isinstance(holder, Lease) else holder
    ids = sorted(touch.changed)
    if claim is not None:
        row = next(
            (r for r in before.rows if r is not None and (r.claim_no, r.holder) == (claim.claim_no, claim.holder)), None
        )
        theirs = row is not None and row.status == IN_PROGRESS
        if isinstance(holder, Lease):
            theirs = theirs and holder.expires == SEEN_LEASE
        if ids and (ids != [claim.uuid] or not theirs):
            return f"{touch.name} by {claim.holder}, claim {claim.claim_no}, which holds nothing, changed a row"
        if bool(touch.answer) != bool(ids):
            return f"{touch.name} answered {touch.answer} and changed {len(ids)} rows"
    return None
