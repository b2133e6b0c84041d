"""The main loop of a device process.

It loads models, sends Ready, then runs Jobs until the Pipe is closed.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from app.core.errors import SpeechError
from app.core.logs import configure_logging
from app.core.params import BgmSeparationParams, ModelOptions, Params, TranscriptionParams
from app.core.settings import Settings
from workers.device import cuda_errors, patches
from workers.device.environment import prepare_environment
from workers.device.memory import Heap
from workers.device.protocol import Failure, Job, Loading, Outcome, Progress, Ready, Slot
from workers.device.run import Run
from workers.models.cache import KEPT, WarmModels, choose_compute_type, collect_garbage
from workers.pipelines import Pipeline, load_pipelines

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
DEVICE_LOST = 70  # exit status after a CUDA error that only a new process clears
OUT_OF_MEMORY = "out_of_memory"


def serve(connection: Connection, slot: Slot, settings: Settings, supervisor: int, preload: bool) -> None:
    """Run the process until its Pipe is closed."""
    die_with_parent(supervisor)
    for ignored in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # Ctrl-C signals the whole process group, but the supervisor decides
        signal.signal(ignored, signal.SIG_IGN)
    configure_logging()
    prepare_environment(slot)
    patches.replace_tqdm_lock()
    models = WarmModels(slot, settings, tell=lambda model: connection.send(Loading(model)))
    pipelines = load_pipelines()
    _set_threads(slot)
    if preload:
        _preload(models, slot, settings)
    collect_garbage()  # also freezes what was imported, so that no task pays for scanning it
    heap = Heap()

    def tell(progress: Progress) -> None:
        connection.send(progress)
        heap.trim_grown()

    connection.send(Ready())
    while True:
        try:
            job: Job[Params] = connection.recv()
        except EOFError:  # the supervisor has closed the Pipe, or died
            return
        verdict = execute(Run(job, slot, settings, models, tell), pipelines[job.task_type])
        heap.trim_grown()  # before the supervisor gets the verdict and checks workers.max_rss
        connection.send(verdict)


def die_with_parent(parent: int) -> None:
    """Let the kernel kill this process when ``parent`` dies.

    See prctl(2), PR_SET_PDEATHSIG.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the call
        os._exit(1)


def execute(run: Run[Params], pipeline: Pipeline[Any]) -> Outcome | Failure:
    """Run the job, and retry once if memory runs out.

    The retry uses half the batch size and starts with no model loaded.
    """
    started = time.monotonic()
    try:
        verdict = _attempt(run, pipeline)
        if isinstance(verdict, Failure) and verdict.code == OUT_OF_MEMORY:
            log.warning("task %s: out of memory; retrying with half the batch size", run.job.uuid)
            run.models.free(*KEPT)
            verdict = _attempt(_halve_batch(run), pipeline)
        return replace(verdict, duration=time.monotonic() - started)
    finally:
        # after a failure, too: the next task may need the memory
        if _is_offloaded(run.params):
            run.models.free(*pipeline.MODEL_KINDS)


def _attempt(run: Run[Params], pipeline: Pipeline[Any]) -> Outcome | Failure:
    try:
        result_type, result = pipeline.run(run)
        stages = run.stage_clock.read()
        return Outcome(result_type, result, run.warnings, 0.0, run.facts, run.speaker_embeddings, stages)
    except Exception as error:
        if cuda_errors.is_sticky(error):
            log.exception("task %s: unrecoverable device error; exiting", run.job.uuid)
            os._exit(DEVICE_LOST)  # skips exit handlers of the libraries: they may call the broken device
        failed = to_speech_error(error)
        if failed.code == "internal_error":
            log.exception("task %s failed", run.job.uuid)
        return Failure(failed.code, failed.message, run.warnings, 0.0, run.facts)


def _is_offloaded(params: Params) -> bool:
    return isinstance(params, ModelOptions | BgmSeparationParams) and params.enable_offload


def _halve_batch(run: Run[Params]) -> Run[Params]:
    """Prepare the retry with half the batch size.

    Without a batch size, or at 1, only the memory of other models has been freed.
    """
    params, warnings = run.params, list(run.warnings)
    if isinstance(params, TranscriptionParams) and params.batch_size > 1:
        batch = params.batch_size // 2
        warnings.append(f"Out of memory with batch_size {params.batch_size}; {batch} was used instead.")
        params = replace(params, batch_size=batch)
    return run.for_last_attempt(replace(run.job, params=params, warnings=warnings))


def to_speech_error(error: Exception) -> SpeechError:
    """Turn an exception into an error code and message.

    Unexpected ones become internal_error, without details: those belong in the log only.
    """
    if isinstance(error, SpeechError):
        return error
    if cuda_errors.is_out_of_memory(error):
        say = "The device ran out of memory. Use a smaller batch_size or model_size, or compute_type=int8."
        return SpeechError(OUT_OF_MEMORY, say)
    return SpeechError("internal_error", "Internal error; see the server log.")


def _set_threads(slot: Slot) -> None:
    if slot.threads:
        import torch

        torch.set_num_threads(slot.threads)


def _preload(models: WarmModels, slot: Slot, settings: Settings) -> None:
    """Load the models that most tasks need.

    A missing model is logged; it fails only the tasks that use it.
    """
    whisper, separation = settings.whisper, settings.bgm_separation
    wanted: list[Callable[[], object]] = []
    if not whisper.enable_offload:
        compute_type = choose_compute_type(whisper.compute_type, slot.device)
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
