"""The main loop of a device process: it starts a thread for each Job, until the Pipe is closed."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import threading
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from app.core.logs import configure_logging
from app.core.params import Params
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from workers.device import patches
from workers.device.device import Device
from workers.device.environment import prepare_environment
from workers.device.execution import execute
from workers.device.memory import Heap
from workers.device.messenger import Channel, Messenger
from workers.device.preload import load_first, load_others
from workers.device.protocol import Job, Loading, Progress, Pulse, Ready, Resident, RunKey, Said, Slot, Stop, Warm
from workers.device.run import Run
from workers.models.cache import WarmModels, collect_garbage
from workers.pipelines import Pipeline, load_pipeline

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
PULSE_SECONDS = 1.0
NICENESS = 5  # models keep every core busy; answers to clients need little, but at once


def serve(connection: Connection, slot: Slot, settings: Settings, supervisor: int, preload: bool) -> None:
    """Run the process until its Pipe is closed."""
    run_jobs(Messenger(connection), slot, settings, supervisor, preload)


def run_jobs(messenger: Messenger, slot: Slot, settings: Settings, supervisor: int, preload: bool) -> None:
    """Make this process a device process of ``supervisor``, until that hangs up."""
    die_with_parent(supervisor)
    # Ctrl-C signals the whole process group, but the supervisor decides
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    sys.stdout = sys.stderr  # the libraries print
    serve_slot(messenger, slot, settings, preload)


def serve_slot(messenger: Channel, slot: Slot, settings: Settings, preload: bool) -> None:
    """Load the models that most tasks need, then run jobs until the supervisor hangs up.

    It needs a process of its own, because it sets environment variables and ends the process when a run cannot go on.
    """
    os.nice(NICENESS)
    configure_logging()
    prepare_environment(slot)
    patches.replace_tqdm_lock()
    open_storage(settings).sweep_spool()  # on a node of a Ray cluster, no other process of the service does
    models = WarmModels(slot, settings, tell=lambda model: messenger.send(Loading(model)))
    if preload:
        load_first(models, slot, settings)
    collect_garbage()  # also freezes what was imported, so that no task pays for scanning it
    messenger.send(Ready())
    threading.Thread(target=_warm_up, args=(messenger, models, settings, preload), name="preload", daemon=True).start()
    Runs(messenger, slot, settings, models).serve()


def _warm_up(messenger: Channel, models: WarmModels, settings: Settings, preload: bool) -> None:
    try:
        if preload:
            load_others(models, settings)
            collect_garbage()
        messenger.send(Warm())
    except Exception:  # a failed start: after the second one, the slot starts without preloading
        log.exception("the models cannot be loaded beforehand")
        os._exit(1)


class Runs:
    """The runs of this process, each in its own thread."""

    def __init__(self, messenger: Channel, slot: Slot, settings: Settings, models: WarmModels) -> None:
        self._messenger = messenger
        self._slot = slot
        self._settings = settings
        self._models = models
        self._device = Device(slot, settings.workers)
        self._heap = Heap()
        self._runs: dict[RunKey, Run[Params]] = {}

    def serve(self) -> None:
        """Start and stop runs as the supervisor says, until it hangs up."""
        while True:
            try:
                command = self._messenger.receive(PULSE_SECONDS)
            except EOFError:  # the supervisor has closed the Pipe, or died
                return
            match command:
                case Job():
                    self._start(command)
                case Stop(key) if (run := self._runs.get(key)) is not None:
                    self._device.turns.stop(run.share)
                case None if self._runs:
                    waits = {key: self._device.turns.measure_wait(run.share) for key, run in list(self._runs.items())}
                    self._messenger.send(Pulse(waits))

    def _start(self, job: Job[Params]) -> None:
        run = Run(
            job,
            self._slot,
            self._settings,
            self._models,
            partial(self._report, job.key),
            device=self._device,
            tell=lambda model: self._messenger.send(Said(job.key, Loading(model))),
        )
        self._runs[job.key] = run
        threading.Thread(target=self._run, args=(run,), name=f"task {job.uuid}", daemon=True).start()

    def _load_pipeline(self, job: Job[Params]) -> Pipeline[Any]:
        """Import the pipeline; the seconds that its libraries take the first time are not those of the run."""
        self._messenger.send(Said(job.key, Loading("the speech libraries")))
        pipeline = load_pipeline(job.task_type)
        self._messenger.send(Said(job.key, Loading(None)))
        return pipeline

    def _report(self, key: RunKey, progress: Progress) -> None:
        self._messenger.send(Said(key, progress))
        self._heap.trim_grown()

    def _run(self, run: Run[Params]) -> None:
        key = run.job.key
        try:
            verdict = execute(run, self._load_pipeline(run.job))
            self._heap.trim_grown()  # before the supervisor compares the memory with workers.max_rss
            self._messenger.send(Resident(self._heap.read_megabytes()))
            del self._runs[key]
            self._messenger.send(Said(key, verdict))
        except BaseException:  # no verdict can be sent: the supervisor sees the process die, and tries the task again
            log.exception("task %s: the process cannot go on", key.uuid)
            os._exit(1)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when ``parent`` dies.

    See prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)
