"""Claim tasks, run them on device processes, store the results."""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from peewee import DatabaseError, InterfaceError

from app.core.db import heartbeats, leases, tasks
from app.core.db.connection import database
from app.core.db.notify import Watch
from app.core.db.tasks import LEASE_SECONDS, Claim
from app.core.settings import Settings
from workers.device import execution
from workers.device.protocol import (
    Ended,
    Failure,
    Message,
    Outcome,
    Ready,
    Returned,
    Said,
    Warm,
)
from workers.supervisor.assignment import Assignment
from workers.supervisor.dispatch import Dispatcher
from workers.supervisor.engine import Engine
from workers.supervisor.identity import make_name
from workers.supervisor.lease_watch import LeaseWatch
from workers.supervisor.outage import is_outage
from workers.supervisor.pool import Pool
from workers.supervisor.process import DeviceProcess
from workers.supervisor.reporter import Reporter
from workers.supervisor.scaling import Scaling
from workers.supervisor.settlement import (
    NodeLost,
    Verdict,
    clean_up_run,
    is_storage_at_fault,
    requeue_unknown,
    settle,
    take_over_lost,
)
from workers.supervisor.sharing import Ending, judge_ending
from workers.supervisor.waiters import GRACE_SECONDS, WaiterWatch

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
BEAT_SECONDS = 5.0
LOOK_SECONDS = 2.0  # between looks for queued tasks, unless a notification comes first
DATABASE_PAUSE_SECONDS = 1.0
UNWRITABLE = Failure("internal_error", "Internal error; see the server log.", [], None, {})


class Supervisor:
    """The main loop over the device processes.

    ``engine`` starts them. ``is_only_supervisor``: no other supervisor can use this database.
    A lease that is not renewed for ``lease_seconds`` is lost. A task without its client is cancelled after
    ``grace_seconds``.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        is_only_supervisor: bool,
        clock: Callable[[], float] = time.monotonic,
        lease_seconds: float = LEASE_SECONDS,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self.name = make_name()
        self._settings = settings
        self._clock = clock
        self._watch = Watch()
        self._leases = LeaseWatch(is_only_supervisor, clock, lease_seconds)
        self._waiters = WaiterWatch(clock, grace_seconds)
        self._pool = Pool(settings, engine, clock)
        self._scaling = Scaling(settings, self._pool, engine)
        self._reporter = Reporter(clock)
        self._unsettled: list[tuple[Claim, Verdict]] = []
        self._dispatcher = Dispatcher(
            self.name, settings, self._pool, lambda verdict: self._unsettled.append(verdict), clock
        )
        self._stop_by: float | None = None  # when draining ends; None while running
        self._hurried = False
        self._next_beat = self._next_look = self._database_again = 0.0

    def stop(self, *_: Any) -> None:
        """Handle a signal: the first drains, the second stops at once.

        It only sets values: logging is unsafe in a signal handler.
        """
        self._hurried = self._stop_by is not None
        patience = 0.0 if self._hurried else self._settings.workers.drain_timeout
        self._stop_by = self._clock() + patience

    def run(self) -> None:
        """Run until stopped, then requeue unfinished tasks.

        Requeued tasks keep their places in the queue.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        log.info("supervisor %s serves %s", self.name, self._pool)
        try:
            while not self._is_drained():
                self._tick()
        finally:
            self._shut_down()

    def _is_drained(self) -> bool:
        if self._stop_by is None:
            return False
        busy = self._unsettled or any(process.assignments for process in self._pool.processes)
        return self._clock() >= self._stop_by or not busy

    def _tick(self) -> None:
        if self._stop_by is None:
            self._pool.start_due()
        self._pool.wait(TICK_SECONDS)
        for process in list(self._pool.processes):
            died = not process.is_alive  # check before reading, so that its last messages are read as well
            for message in process.read_messages():
                self._handle(process, message)
            if process not in self._pool.processes:  # replaced after its last task
                continue
            if died:
                self._remove_dead(process)
            else:
                self._check_limits(process)
        if self._clock() >= self._database_again:
            with self._survive_outage():
                self._serve_database()

    def _handle(self, process: DeviceProcess, message: Message) -> None:
        match message:
            case Ready():
                # report the new state and look for a task in this tick, instead of at the next interval
                self._next_beat = self._next_look = 0.0
                say = "%s ready after %.1f s (%s)"
                log.info(say, process.name, self._clock() - process.started, process.transport.place)
            case Warm():
                self._pool.mark_warm(process)
            case Said(key, said) if (assignment := process.assignments.get(key)) is not None:
                if isinstance(said, Outcome | Failure | Returned | Ended):
                    self._end(process, assignment, said)

    def _end(self, process: DeviceProcess, assignment: Assignment, said: Outcome | Failure | Returned | Ended) -> None:
        """Take the verdict of a run that has ended, and let the process have its next task."""
        process.release(assignment)
        if isinstance(said, Failure) and is_storage_at_fault(self._settings, said):
            process.rest()
        elif isinstance(said, Outcome):
            process.end_rest()
        if not isinstance(said, Outcome):
            self._reporter.finish(assignment)
        self._next_look = 0.0  # there is room for another task
        stopping = assignment.stopping
        match said:
            case _ if stopping is not None and stopping.failure is None:
                clean_up_run(self._settings, assignment.claim)
            case Outcome():
                self._unsettled.append((assignment.claim, said))
            case _ if stopping is not None:
                self._unsettled.append((assignment.claim, stopping.failure))
            case Failure(code=execution.OUT_OF_MEMORY) if assignment.shared:
                # others used memory, too: it runs again, alone
                self._unsettled.append((assignment.claim, replace(said, again=True)))
            case Failure() | Returned():
                self._unsettled.append((assignment.claim, said))
            case Ended():
                self._unsettled.append((assignment.claim, None))
        if (resident := process.find_excess_memory()) is not None and not process.retiring:
            log.info("%s: %d MB resident, more than workers.max_rss", process.name, resident)
            process.retiring = True
        if process.retiring and not process.assignments:
            self._pool.replace(process, "it used more than workers.max_rss")

    def _remove_dead(self, process: DeviceProcess) -> None:
        """Remove a dead process and requeue its tasks.

        The crash counts against those that it had started, unless their machine was lost.
        """
        cause = process.transport.describe_end()
        self._pool.remove_dead(process, cause)
        self._conclude(process, f"The device process crashed ({cause}).")

    def _conclude(self, process: DeviceProcess, crash: str | None) -> None:
        """Give back the tasks of a process that is gone.

        ``crash`` says what any of its runs may have caused, and counts against those that had begun. Without it, runs that
        were not stopped cost nothing.
        """
        self._next_beat = 0.0
        for assignment in process.assignments.values():
            self._reporter.finish(assignment)
            claim, stopping = assignment.claim, assignment.stopping
            match judge_ending(stopping is not None, assignment.has_begun, was_killed=crash is None):
                case Ending.STOPPED if stopping is not None and stopping.failure is not None:
                    self._unsettled.append((claim, stopping.failure))
                case Ending.STOPPED:
                    clean_up_run(self._settings, claim)
                case Ending.LOST if process.transport.has_lost_node:
                    say = f"The machine that ran the task was lost ({process.transport.describe_end()})."
                    self._unsettled.append((claim, NodeLost(say, assignment.job.warnings)))
                case Ending.LOST:
                    say = f"{crash} The recording may need more memory than is available."
                    self._unsettled.append((claim, Failure("worker_crashed", say, assignment.job.warnings, None, {})))
                case Ending.RETURNED:
                    self._unsettled.append((claim, None))

    def _check_limits(self, process: DeviceProcess) -> None:
        """Stop runs that exceed a time limit, and kill processes that hang or are not used."""
        if (failure := process.check_load()) is not None:
            log.error("%s: %s", process.name, failure.message)
            # a model that hangs while the process loads it beforehand counts as a failed start
            self._pool.remove_dead(process, failure.message)
            self._conclude(process, None)
            return
        for assignment, failure in process.find_overdue():
            log.error("task %s: %s", assignment.claim.uuid, failure.message)
            if process.is_silent and len(process.assignments) > 1:
                self._pool.replace(process, "it does not respond")
                self._conclude(process, "The device process stopped responding.")
                return
            process.stop_run(assignment, failure)
        if process.has_hung():
            self._pool.replace(process, "a run that was stopped has not ended")
            self._conclude(process, None)
        elif self._settings.models.idle_ttl and process.has_idled(self._settings.models.idle_ttl):
            self._pool.unload(process)

    @contextlib.contextmanager
    def _survive_outage(self) -> Iterator[None]:
        """Log a database outage and pause database access.

        The loop goes on, so that crashes and deadlines are still handled.
        """
        try:
            yield
        except (DatabaseError, InterfaceError) as error:
            log.error("database unavailable, trying again in %.0f s: %s", DATABASE_PAUSE_SECONDS, error)
            database.close()  # the connection may be broken
            self._database_again = self._clock() + DATABASE_PAUSE_SECONDS

    def _serve_database(self) -> None:
        """Do all that needs the database: beat, report, settle, claim.

        The heartbeat comes first: a verdict that is slow to write must not let the leases of other tasks expire.
        """
        database.connect(reuse_if_open=True)
        if self._clock() >= self._next_beat:
            self._beat()
        self._reporter.write_due(each for process in self._pool.processes for each in process.assignments.values())
        settled = bool(self._unsettled)
        self._settle_all()
        if self._watch.has_changed() or settled or self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            self._stop_unheld()
            if self._stop_by is None:
                self._dispatcher.dispatch()
                self._scaling.adjust()

    def _settle_all(self) -> None:
        """Write all verdicts to the database.

        A verdict that the database rejects fails its own task only. During an outage all of them are kept.
        """
        while self._unsettled:
            claim, verdict = self._unsettled[0]
            try:
                settle(self._settings, claim, verdict)
            except Exception as error:
                if is_outage(error):
                    raise
                log.exception("task %s: the result cannot be written", claim.uuid)
                if verdict is not UNWRITABLE:  # otherwise the failure is rejected, too: drop it
                    self._unsettled[0] = claim, UNWRITABLE
                    continue
            del self._unsettled[0]  # only after the commit: an outage must not lose the verdict

    def _beat(self) -> None:
        """Record the heartbeat, renew leases, take over lost tasks, cancel those without a client."""
        self._next_beat = self._clock() + BEAT_SECONDS
        heartbeats.record_heartbeat(self.name, self._pool.describe_devices())
        running = [each.claim for process in self._pool.processes for each in process.assignments.values()]
        ended = [claim for claim, _ in self._unsettled]
        known = {(claim.uuid, claim.claim_no) for claim in [*running, *ended]}
        if leases.renew(self.name) > len(known):  # the answer to a claim was lost: no process runs that task
            requeue_unknown(self._settings, self.name, known)
        take_over_lost(self._settings, self._leases.find_lost(leases.list_other_leases(self.name)))
        self._waiters.cancel_abandoned()

    def _stop_unheld(self) -> None:
        """Stop runs whose task is no longer held.

        It was cancelled, deleted or taken over, so its result would be discarded.
        """
        running = [(process, each) for process in self._pool.processes for each in process.assignments.values()]
        held = tasks.list_held(self.name) if running else set()
        for process, assignment in running:
            if assignment.stopping is None and assignment.key not in held:
                log.info("task %s was cancelled, deleted or taken over", assignment.claim.uuid)
                process.stop_run(assignment, None)

    def _shut_down(self) -> None:
        """Requeue running tasks, then stop all processes.

        In this order, because init systems limit the time of a stop and then send SIGKILL.
        """
        self._unsettled += [(claim, None) for claim in self._pool.kill_busy()]
        with self._survive_outage():
            database.connect(reuse_if_open=True)
            self._settle_all()
            heartbeats.remove_worker(self.name)
        self._pool.stop(self._hurried)
        log.info("supervisor %s stopped", self.name)
