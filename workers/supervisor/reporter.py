"""Write the progress of all runs: once a second, and what is urgent at once.

Each time it is one statement, however many runs there are.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence

from app.core.db import reports, tasks
from app.core.db.reports import Report
from workers.supervisor.assignment import Assignment
from workers.supervisor.outage import is_outage

log = logging.getLogger(__name__)

WRITE_SECONDS = 1.0


class Reporter:
    """Knows when the progress was written last, and which runs have ended since."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._next_write = 0.0
        self._ended: list[Assignment] = []

    def finish(self, assignment: Assignment) -> None:
        """Let the last of a run that ended without a result be written before its verdict.

        Clients see the segments of a failed task, and the length of its recording counts.
        """
        if assignment.unwritten.latest is not None:
            self._ended.append(assignment)

    def write_due(self, assignments: Iterable[Assignment]) -> None:
        """Write what is due of these runs, and of those that have ended.

        What cannot be written in an outage stays due; the error passes through. Values that the database rejects are
        logged, and lost.
        """
        waiting = [each for each in assignments if each.unwritten.latest is not None]
        is_due = self._clock() >= self._next_write
        chosen = self._ended + (waiting if is_due else [each for each in waiting if each.unwritten.is_urgent])
        if not chosen:
            return
        _write(chosen)
        for each in chosen:
            each.unwritten.clear()
        self._ended = []
        if is_due:
            self._next_write = self._clock() + WRITE_SECONDS


def _write(assignments: Sequence[Assignment]) -> None:
    made = [_make_report(each) for each in assignments]
    # Only progress may be lost: a stage or a segment is sent once.
    skip_disk = not any(
        each.unwritten.is_urgent or report.segments for each, report in zip(assignments, made, strict=True)
    )
    try:
        reports.write(made, skip_disk)
    except Exception as error:
        if is_outage(error):
            raise
        for report in made:
            _write_alone(report)


def _make_report(assignment: Assignment) -> Report:
    latest = assignment.unwritten.latest
    assert latest is not None
    return Report(assignment.claim, latest.stage, latest.progress, latest.first, latest.segments, latest.facts)


def _write_alone(report: Report) -> None:
    """Write the report of one run, so that one value which the database rejects does not cost the others theirs."""
    try:
        tasks.report(report.claim, report.stage, report.progress, report.first, report.segments, **report.facts)
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("task %s: its progress cannot be written", report.claim.uuid)
