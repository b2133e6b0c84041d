"""One process that owns one device: spawned, warm, fed through its own Pipe; it knows no database and no HTTP."""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
from types import ModuleType

from app.errors import SpeechError
from app.ledger.states import BGM_SEPARATION, TRANSCRIPTION, VAD
from app.ledger.task import Claim
from app.logs import configure_logging
from app.settings import Settings
from workers.protocol import Failure, Job, Message, Outcome, Ready, Slot
from workers.run import Run
from workers.weights import KEPT, WarmModels, collect, prepare_environment, usable_compute_type

log = logging.getLogger(__name__)

PIPELINES = {
    TRANSCRIPTION: "workers.pipelines.transcription",
    VAD: "workers.pipelines.vad",
    BGM_SEPARATION: "workers.pipelines.bgm_separation",
}
PR_SET_PDEATHSIG = 1
GOODBYE_SECONDS = 2.0
OUT_OF_MEMORY = ("out of memory", "bad_alloc", "cannot allocate memory")


class DeviceProcess:
    """The supervisor's end: the process of one slot, its Pipe, and the claim it works on."""

    def __init__(self, slot: Slot, settings: Settings) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.slot = slot
        self.connection, theirs = context.Pipe()
        name = f"{slot.device}-{slot.number}"
        self.process = context.Process(target=serve, args=(theirs, slot, settings, os.getpid()), name=name, daemon=True)
        self.process.start()
        theirs.close()  # so that the Pipe ends when the process does
        self.started = time.monotonic()
        self.ready = False
        self.claim: Claim | None = None
        self.job: Job | None = None
        self.begun = False

    @property
    def idle(self) -> bool:
        return self.ready and self.claim is None and self.process.is_alive()

    def assign(self, claim: Claim, job: Job) -> None:
        """Hand over a task. A process that dies at this very moment keeps the claim; its death is seen next."""
        self.claim, self.job, self.begun = claim, job, False
        with contextlib.suppress(OSError):
            self.connection.send(job)

    def release(self) -> None:
        self.claim = self.job = None

    def messages(self) -> list[Message]:
        """What has arrived, without waiting; a Pipe that has ended holds nothing more."""
        arrived: list[Message] = []
        try:
            while self.connection.poll():
                arrived.append(self.connection.recv())
        except (EOFError, OSError):
            pass
        return arrived

    def kill(self) -> None:
        """End it now, whatever it does; a native call hears no other signal."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def finish(self) -> None:
        """End it at once if it is at work; let an idle one go by itself, which it does when its Pipe ends."""
        if self.idle:
            self.connection.close()
            self.process.join(GOODBYE_SECONDS)
        self.kill()

    def cause_of_death(self) -> str:
        code = self.process.exitcode
        if code is None or code >= 0:
            return f"exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}, often a sign that memory ran out" if -code == signal.SIGKILL else name


def serve(connection: Connection, slot: Slot, settings: Settings, supervisor: int) -> None:
    """The process itself: load, say Ready, then one Job after the other until the Pipe ends."""
    die_with(supervisor)
    for ignored in (signal.SIGINT, signal.SIGTERM):  # the supervisor decides; a Ctrl-C reaches the whole group
        signal.signal(ignored, signal.SIG_IGN)
    configure_logging()
    prepare_environment(slot)
    models = WarmModels(slot, settings)
    pipelines = {kind: importlib.import_module(name) for kind, name in PIPELINES.items()}
    _set_threads(slot)
    if settings.workers.preload:
        _preload(models, slot, settings)
    collect()
    connection.send(Ready())
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        connection.send(_execute(job, pipelines[job.task_type], models, connection, slot, settings))


def die_with(parent: int) -> None:
    """Ask the kernel for SIGKILL when ``parent`` dies, however it dies; then make sure that it has not already."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _execute(
    job: Job, pipeline: ModuleType, models: WarmModels, connection: Connection, slot: Slot, settings: Settings
) -> Outcome | Failure:
    started = time.monotonic()
    run = Run(job, slot, settings, models, connection.send)
    try:
        result_type, result = pipeline.run(run)
        return Outcome(result_type, result, run.warnings, time.monotonic() - started, run.facts)
    except Exception as error:
        failed = as_speech_error(error)
        if failed.code == "internal_error":
            log.exception("task %s failed", job.uuid)
        return Failure(failed.code, failed.message, run.warnings, time.monotonic() - started, run.facts)
    finally:
        if job.params.get("enable_offload"):
            models.free(*pipeline.MODELS)


def as_speech_error(error: Exception) -> SpeechError:
    """Any exception as a code and a sentence; what nobody foresaw is an internal_error, told in the log alone."""
    if isinstance(error, SpeechError):
        return error
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(words in text for words in OUT_OF_MEMORY):
        say = "The device ran out of memory; a smaller batch_size or model_size, or compute_type=int8, needs less."
        return SpeechError("out_of_memory", say)
    return SpeechError("internal_error", "Something unforeseen happened on the server; its log says what.")


def _set_threads(slot: Slot) -> None:
    if slot.threads:
        import torch

        torch.set_num_threads(slot.threads)


def _preload(models: WarmModels, slot: Slot, settings: Settings) -> None:
    """Load what most tasks will want. What is missing here is said in the log and again by each task that asks for it."""
    whisper, separation = settings.whisper, settings.bgm_separation
    wanted: list[Callable[[], object]] = []
    if not whisper.enable_offload:
        compute_type = usable_compute_type(whisper.compute_type, slot.device)
        wanted.append(lambda: models.whisper(whisper.model_size, compute_type))
        languages = list(settings.align.models)[: KEPT["align"]]
        wanted.extend(partial(models.aligner, language) for language in languages)
    if not separation.enable_offload:
        wanted.append(lambda: models.separator(separation.model_size))
    for load in wanted:
        try:
            load()
        except SpeechError as error:
            log.warning("not preloaded: %s", error.message)
