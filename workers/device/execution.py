"""Execute a job, and turn its errors into a verdict."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from app.core.errors import SpeechError
from app.core.params import BgmSeparationParams, ModelOptions, Params, TranscriptionParams
from app.core.settings import LOCAL
from workers.device import cuda_errors
from workers.device.protocol import Ended, Failure, Outcome, Returned
from workers.device.run import ReturnedError, Run
from workers.device.turns import StoppedError
from workers.models.cache import KEPT
from workers.pipelines import Pipeline

log = logging.getLogger(__name__)

DEVICE_LOST = 70  # exit status after a CUDA error that only a new process clears
OUT_OF_MEMORY = "out_of_memory"
Verdict = Outcome | Failure | Returned | Ended


def execute(run: Run[Params], pipeline: Pipeline[Any]) -> Verdict:
    """Run the job, and retry once if memory runs out.

    The retry uses half the batch size and starts with no model loaded, except those that other runs use.
    """
    started = time.monotonic()
    try:
        with _borrow_recording(run), run.device.audio.hold(run.share):
            verdict = _attempt(run, pipeline)
            if isinstance(verdict, Failure) and verdict.code == OUT_OF_MEMORY:
                log.warning("task %s: out of memory; retrying with half the batch size", run.job.uuid)
                run.models.free(*KEPT)
                run = _halve_batch(run)
                verdict = _attempt(run, pipeline)
        return replace(verdict, duration=time.monotonic() - started)
    except StoppedError:
        return Ended()
    except ReturnedError as error:
        return Returned(error.seconds)
    except (OSError, SpeechError) as error:  # the storage does not give the recording
        return replace(_make_failure(run, error), duration=time.monotonic() - started)
    finally:
        run.models.give_back()
        # after a failure, too: the next task may need the memory
        if _is_offloaded(run.params):
            run.models.free(*pipeline.MODEL_KINDS)


def _attempt(run: Run[Params], pipeline: Pipeline[Any]) -> Outcome | Failure:
    try:
        result_type, result = pipeline.run(run)
        stages = run.stage_clock.read()
        kept = (run.speaker_embeddings, stages, run.speaker_turns)
        return Outcome(result_type, result, run.warnings, 0.0, run.facts, *kept)
    except Exception as error:
        if cuda_errors.is_sticky(error):
            log.exception("task %s: unrecoverable device error; exiting", run.job.uuid)
            os._exit(DEVICE_LOST)  # skips exit handlers of the libraries: they may call the broken device
        return _make_failure(run, error)


def _make_failure(run: Run[Params], error: Exception) -> Failure:
    failed = to_speech_error(error)
    if failed.code == "internal_error":
        log.exception("task %s failed", run.job.uuid)
    message = failed.message
    if failed.code == "model_not_available" and run.settings.workers.engine != LOCAL:  # others may have it
        message = f"{message} This was on node {platform.node()}."
    return Failure(failed.code, message, run.warnings, 0.0, run.facts)


@contextlib.contextmanager
def _borrow_recording(run: Run[Params]) -> Iterator[None]:
    """Have the recording at the path ``run.job.source`` inside the block."""
    with run.storage.borrow(run.job.source, *run.job.key, run.share.check) as source:
        run.job = replace(run.job, source=source)
        yield


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
