"""Detect speakers with pyannote, through whisperx.

A failure only adds a warning: the transcript is useful without speakers.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np

from app.core.errors import SpeechError
from app.core.params import DiarizationOptions
from workers.audio.decode import Samples
from workers.device.networks import take_turn
from workers.device.run import Run
from workers.device.slots import choose_diarization_device
from workers.stages import speakers
from workers.stages.segments import Segment, finite_or, to_json
from workers.stages.tokens import Decode

log = logging.getLogger(__name__)

Embeddings = dict[str, list[float]]

NETWORKS = ("segmentation", "embeddings")  # pyannote's names of the steps that use one


def diarize(segments: list[Segment], samples: Samples, decode: Decode, run: Run[DiarizationOptions]) -> list[Segment]:
    """Assign speakers to segments and words.

    Segments are split where the speaker changes.
    ``samples`` are the recording before separation (float32, 16 kHz), ``decode`` turns token ids into text. On request,
    the embeddings of the speakers become the ``speaker_embeddings`` of the run. The turns become its ``speaker_turns``.
    """
    if not segments:  # silence, or no speech
        _store_embeddings({}, run)
        run.speaker_turns = to_json([])
        return segments
    try:
        turns, embeddings = _find_turns(samples, run)
    except SpeechError as error:
        run.warn(f"Diarization is not available: {error.message}")
        return segments
    except Exception as error:  # the libraries may fail on unusual recordings; the transcript stays
        if run.must_raise(error):
            raise
        log.exception("task %s: diarization failed", run.job.uuid)
        run.warn(f"Diarization failed on this recording ({type(error).__name__}); see the server log.")
        return segments
    finally:
        if run.settings.diarization.enable_offload:
            run.models.free("diarize")
    _store_embeddings(embeddings, run)
    run.speaker_turns = to_json(list_turns(turns))
    _check_speaker_count({str(speaker) for speaker in turns["speaker"]}, run)
    return speakers.assign_speakers(segments, turns, decode)


def _find_turns(samples: Samples, run: Run[DiarizationOptions]) -> tuple[Any, Embeddings]:
    """Detect speaker turns.

    Returns whisperx's table of turns (start, end, speaker) and the embeddings of the speakers.
    """
    params = run.params
    bounds = {"num_speakers": params.num_speakers}
    if params.num_speakers is None:
        bounds = {"min_speakers": params.min_speakers, "max_speakers": params.max_speakers}
    shared, warning = run.models.diarizer(), run.models.diarizer_warning()
    if warning is not None:
        run.warn(warning)
    diarizer = copy.copy(shared)
    diarizer.model = _PipelineInTurns(shared.model, run)
    turns, embeddings = diarizer(
        samples,
        **bounds,
        return_embeddings=True,
        progress_callback=lambda percent: run.advance(percent / 100),
    )
    return turns, {
        speaker: [round(finite_or(value), 6) for value in vector]
        for speaker, vector in (embeddings or {}).items()
        if np.isfinite(vector).all()  # NaN for a speaker who never speaks alone
    }


def list_turns(turns: Any) -> list[tuple[float, float, str]]:
    """Return (start, end, speaker) of each turn of whisperx's table, by start, in seconds with three decimals."""
    return sorted(
        (round(float(row.start), 3), round(float(row.end), 3), str(row.speaker)) for row in turns.itertuples()
    )


class _PipelineInTurns:
    """pyannote's pipeline, with turns for its networks.

    Several tasks may call one pipeline at once: it keeps nothing of a recording. What it computes after a network, such as
    the clustering, needs no turn.
    """

    def __init__(self, pipeline: Any, run: Run[DiarizationOptions]) -> None:
        self._pipeline = pipeline
        self._run = run
        self._turn = ExitStack()
        self._pass_on: Callable[[], None] | None = None  # of the turn that it has now

    def __call__(self, file: Any, hook: Callable[..., None], **bounds: int | None) -> Any:
        """Return pyannote's DiarizeOutput. Raises StoppedError."""
        with self._turn:
            self._begin()
            return self._pipeline(file, hook=partial(self._note_step, hook), **bounds)

    def _note_step(
        self, hook: Callable[..., None], step: str, result: Any, completed: int | None = None, **more: Any
    ) -> None:
        """Pass the turn on after each batch of a network, and give it back after the last one."""
        hook(step, result, completed=completed, **more)
        if completed is not None or step == "speaker_counting":  # the other network is next
            self._begin()
        elif step in NETWORKS:
            self._turn.close()
            self._pass_on = None

    def _begin(self) -> None:
        if self._pass_on is not None:
            self._pass_on()
        else:
            device = choose_diarization_device(self._run.settings.diarization, self._run.slot)
            self._pass_on = self._turn.enter_context(take_turn(self._run, device))


def _store_embeddings(embeddings: Embeddings, run: Run[DiarizationOptions]) -> None:
    if run.params.speaker_embeddings:
        run.speaker_embeddings = to_json(embeddings)


def _check_speaker_count(heard: set[str], run: Run[DiarizationOptions]) -> None:
    if not heard:
        run.warn("Diarization found no speakers.")
        return
    exact = run.params.num_speakers
    least, most = exact or run.params.min_speakers, exact or run.params.max_speakers
    if least and len(heard) < least:
        name, limit = "min_speakers", least
    elif most and len(heard) > most:
        name, limit = "max_speakers", most
    else:
        return
    run.warn(f"{'num_speakers' if exact else name} is {limit}, but diarization found {len(heard)}.")
