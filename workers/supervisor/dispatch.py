"""Claim tasks for the device processes that have room."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable

from app.core.db import claims, transcripts
from app.core.db.states import ALIGNMENT
from app.core.db.tasks import Claim, Task
from app.core.params import Params, parse_params
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from workers.device.protocol import Failure, Job
from workers.supervisor.assignment import Assignment
from workers.supervisor.pool import Pool
from workers.supervisor.process import DeviceProcess
from workers.supervisor.sharing import Running, Wanted, choose_claims

log = logging.getLogger(__name__)

UNREADABLE = "The stored parameters of this task cannot be read; see the server log."


class Dispatcher:
    """Claims for the supervisor ``holder``; ``fail`` takes the verdict of a task that cannot be sent to a process."""

    def __init__(
        self,
        holder: str,
        settings: Settings,
        pool: Pool,
        fail: Callable[[tuple[Claim, Failure]], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._holder = holder
        self._settings = settings
        self._pool = pool
        self._fail = fail
        self._clock = clock

    def dispatch(self) -> None:
        """Claim tasks for all processes that have room, first for those with the fewest."""
        while self._claim_one():
            pass

    def _claim_one(self) -> bool:
        """Claim one task for some process; return whether there was one."""
        able = [p for p in self._pool.processes if p.ready and p.is_alive and not p.is_resting]
        present = sorted(able, key=lambda p: len(p.assignments))
        has_lone = any(process.assignments for process in present) and claims.has_lone()
        loads = [process.load for process in present]
        choices = choose_claims(loads, self._settings.workers.tasks_per_device, has_lone)
        tried: set[Wanted] = set()
        for process, wanted in zip(present, choices, strict=True):
            if wanted is None or wanted in tried:
                continue
            row = claims.claim(self._holder, wanted.shared, wanted.longest)
            if row is not None:
                self._assign(process, row, wanted.longest)
                return True
            tried.add(wanted)
        return False

    def _assign(self, process: DeviceProcess, row: Task, longest: float | None) -> None:
        log.info("task %s claimed for %s, attempt %d", row.uuid, process.name, row.attempts)
        claim = Claim(row.uuid, row.claim_no, self._holder)
        try:
            job = self._make_job(row, longest)
        except ValueError:
            log.exception("task %s: its row cannot be read", row.uuid)
            self._fail((claim, Failure("internal_error", UNREADABLE, [], None, {})))
        else:
            running = Running(row.crashes, row.audio_duration, longest)
            process.assign(Assignment(claim, job, running, self._clock))

    def _make_job(self, row: Task, longest: float | None) -> Job[Params]:
        """Make a typed Job from ``row``.

        Raises ValueError if its parameters cannot be read.
        """
        source = open_storage(self._settings).locate(row.uuid)
        params, warnings = parse_params(row.task_type, row.params), json.loads(row.warnings)
        text = transcripts.get(row.uuid) if row.task_type == ALIGNMENT else None
        return Job(row.uuid, row.claim_no, row.task_type, params, warnings, source, longest, text)
