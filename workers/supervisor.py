"""Claim tasks, hand each to an idle device process, write down what comes of it, and replace the processes that die."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from typing import Any

from peewee import DatabaseError, InterfaceError

from app.ledger import task, worker
from app.ledger.db import database
from app.ledger.task import Claim, Task
from app.ledger.watch import Watch
from app.media.paths import source_of
from app.settings import Settings
from workers import leftovers, unfinished
from workers.device_process import DeviceProcess
from workers.protocol import Failure, Job, Message, Outcome, Progress, Ready, Slot

log = logging.getLogger(__name__)

TICK_SECONDS = 0.05
BEAT_SECONDS = 5.0
LOOK_SECONDS = 2.0
LEDGER_PAUSE_SECONDS = 1.0
RESPAWN_SECONDS = (0.0, 1.0, 2.0, 5.0, 15.0, 60.0)


class Supervisor:
    """The processes of this machine's slots and the loop that serves them."""

    def __init__(self, settings: Settings, slots: list[Slot], clock: Callable[[], float] = time.monotonic) -> None:
        self.owner = f"{platform.node()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"
        self._settings = settings
        self._clock = clock
        self._watch = Watch()
        self._vacant = dict.fromkeys(slots, 0.0)
        self._failed_starts = dict.fromkeys(slots, 0)
        self._processes: list[DeviceProcess] = []
        self._unsettled: list[tuple[Claim, Outcome | Failure | None]] = []
        self._stop_by: float | None = None
        self._next_beat = self._next_look = self._ledger_again = 0.0

    def stop(self, *_: Any) -> None:
        """Signal handler: the first signal drains, the second ends at once. It only sets a time; logging is unsafe here."""
        patience = 0.0 if self._stop_by is not None else self._settings.workers.drain_timeout
        self._stop_by = self._clock() + patience

    def run(self) -> None:
        """Serve until stopped; then give back what is unfinished, at its old place in the queue."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        log.info("supervisor %s serves %s", self.owner, ", ".join(f"{s.device}-{s.number}" for s in self._vacant))
        try:
            while not self._drained():
                self._tick()
        finally:
            self._end()

    def _drained(self) -> bool:
        if self._stop_by is None:
            return False
        busy = self._unsettled or any(process.claim for process in self._processes)
        return self._clock() >= self._stop_by or not busy

    def _tick(self) -> None:
        self._respawn()
        wait([waited for p in self._processes for waited in (p.connection, p.process.sentinel)], TICK_SECONDS)
        for process in list(self._processes):
            died = not process.process.is_alive()  # asked first: what it said before it died still counts
            for message in process.messages():
                self._hear(process, message)
            if died:
                self._bury(process)
        if self._clock() >= self._ledger_again:
            with self._ledger_trouble():
                self._serve_ledger()

    def _respawn(self) -> None:
        for slot, due in list(self._vacant.items()):
            if self._clock() >= due and self._stop_by is None:
                del self._vacant[slot]
                self._processes.append(DeviceProcess(slot, self._settings))

    def _hear(self, process: DeviceProcess, message: Message) -> None:
        match message:
            case Ready():
                process.ready = True
                self._failed_starts[process.slot] = 0
                self._next_beat = self._next_look = 0.0
                log.info("%s ready after %.1f s", process.process.name, self._clock() - process.started)
            case Progress():
                process.begun = True
                self._report(process, message)
            case Outcome() | Failure() if process.claim is not None:
                self._unsettled.append((process.claim, message))
                process.release()

    def _report(self, process: DeviceProcess, message: Progress) -> None:
        if process.claim is None or self._clock() < self._ledger_again:
            return  # progress may be lost, a result may not
        with self._ledger_trouble():
            task.report(process.claim, message.stage, message.progress, **message.facts)

    def _bury(self, process: DeviceProcess) -> None:
        """A process is gone: fail the task it was at work on and vacate its slot, longer each time it dies before it is ready."""
        cause = process.cause_of_death()
        process.kill()
        self._processes.remove(process)
        failed = 0 if process.ready else self._failed_starts[process.slot] + 1
        self._failed_starts[process.slot] = failed
        pause = RESPAWN_SECONDS[min(failed, len(RESPAWN_SECONDS) - 1)]
        self._vacant[process.slot] = self._clock() + pause
        self._next_beat = 0.0
        log.error("%s died (%s); a new one starts in %.0f s", process.process.name, cause, pause)
        if process.claim is not None and process.job is not None and not process.begun:
            self._unsettled.append((process.claim, None))
        elif process.claim is not None and process.job is not None:
            say = f"The process that ran this task died ({cause}). The recording may need more memory than there is."
            lost = Failure("worker_crashed", say, process.job.warnings, None, {})
            self._unsettled.append((process.claim, lost))

    @contextlib.contextmanager
    def _ledger_trouble(self) -> Iterator[None]:
        """Let the loop go on when the ledger does not answer, and leave it alone for a moment."""
        try:
            yield
        except (DatabaseError, InterfaceError) as error:
            log.error("ledger unavailable, asked again soon: %s", error)
            database.close()
            self._ledger_again = self._clock() + LEDGER_PAUSE_SECONDS

    def _serve_ledger(self) -> None:
        database.connect(reuse_if_open=True)
        settled = bool(self._unsettled)
        while self._unsettled:
            self._settle(*self._unsettled[0])
            del self._unsettled[0]  # only now: a verdict stays until the ledger has taken it
        if self._clock() >= self._next_beat:
            self._beat()
        if self._watch.changed() or settled or self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            self._end_lost()
            if self._stop_by is None:
                self._dispatch()

    def _settle(self, claim: Claim, verdict: Outcome | Failure | None) -> None:
        """Write what became of a task; None stands for one that was handed over and never begun."""
        if isinstance(verdict, Outcome):
            word = "completed"
            ours = task.complete(
                claim, verdict.result_type, verdict.result, verdict.warnings, verdict.duration, **verdict.facts
            )
        elif verdict is None:
            word = "given back to the queue"
            ours = task.requeue(claim)
        else:
            word = f"failed ({verdict.code})"
            ours = task.fail(claim, verdict.code, verdict.message, verdict.warnings, verdict.duration, **verdict.facts)
        if not isinstance(verdict, Outcome):
            unfinished.remove(self._settings.cache.path, claim)
        log.info("task %s %s%s", claim.uuid, word, "" if ours else ", but it was no longer ours: nothing written")
        if not ours:
            leftovers.discard(self._settings.cache.path, claim.uuid)

    def _beat(self) -> None:
        """Say that we live, keep what we hold, take back what others lost."""
        self._next_beat = self._clock() + BEAT_SECONDS
        worker.beat(self.owner, [_state(process) for process in self._processes])
        task.renew(self.owner)
        requeued, failed = task.recover()
        if requeued or failed:
            log.warning("leases ran out: %d tasks requeued, %d failed", requeued, failed)

    def _end_lost(self) -> None:
        """Kill what works on a task that is no longer ours, cancelled or deleted: nobody would take its result.

        Nothing gentler would do: a process inside a model call hears neither a signal nor its Pipe.
        """
        busy = [(process, process.claim) for process in self._processes if process.claim is not None]
        held = task.held(self.owner) if busy else set()
        for process, claim in busy:
            if (claim.uuid, claim.attempt) in held:
                continue
            log.info("task %s is no longer ours: %s is replaced", claim.uuid, process.process.name)
            process.kill()
            self._processes.remove(process)
            self._vacant[process.slot] = self._next_beat = 0.0
            unfinished.remove(self._settings.cache.path, claim)
            leftovers.discard(self._settings.cache.path, claim.uuid)

    def _dispatch(self) -> None:
        for process in self._processes:
            if not process.idle:
                continue
            row = task.claim(self.owner)
            if row is None:
                return
            log.info("task %s claimed for %s, attempt %d", row.uuid, process.process.name, row.attempt)
            process.assign(Claim(row.uuid, row.attempt, self.owner), self._job(row))

    def _job(self, row: Task) -> Job:
        source = source_of(self._settings.cache.path, row.uuid)
        params, warnings = json.loads(row.params), json.loads(row.warnings)
        return Job(row.uuid, row.attempt, row.task_type, params, warnings, str(source))

    def _end(self) -> None:
        for process in self._processes:
            process.finish()
        with self._ledger_trouble():
            database.connect(reuse_if_open=True)
            unfinished = [(process.claim, None) for process in self._processes if process.claim is not None]
            for claim, verdict in [*self._unsettled, *unfinished]:
                self._settle(claim, verdict)
            worker.leave(self.owner)
        log.info("supervisor %s stopped", self.owner)


def _state(process: DeviceProcess) -> dict[str, Any]:
    """One line of the heartbeat: what this device is doing."""
    doing = "busy" if process.claim else "idle" if process.ready else "starting"
    return {"device": process.process.name, "pid": process.process.pid, "state": doing}
