"""Who spoke when, by pyannote through whisperx; whatever goes wrong costs the speakers and a warning, never the transcript."""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import Any

import numpy as np

from app.core.errors import SpeechError
from workers.audio.decode import Samples
from workers.device.run import Run
from workers.stages import speakers
from workers.stages.align import Decode
from workers.stages.segments import Segment, finite, to_json

log = logging.getLogger(__name__)

BOUNDS = ("num_speakers", "min_speakers", "max_speakers")
Embeddings = dict[str, list[float]]


def diarize(segments: list[Segment], samples: Samples, decode: Decode, run: Run) -> list[Segment]:
    """The same transcript with a speaker to every segment and word, and segments that end where the speaker changes.

    ``samples`` are the recording as it came (float32, 16 kHz), ``decode`` turns token ids into text. Asked for, the
    voices' embeddings become the run's ``speaker_embeddings``.
    """
    if not segments:  # silence, or nothing that is speech: nobody to name
        _keep({}, run)
        return segments
    try:
        turns, embeddings = _turns(samples, run)
    except SpeechError as error:
        run.warn(f"No speakers are named: {error.message}")
        return segments
    except Exception as error:  # a library's failure on an odd recording; the transcript is worth more
        if run.must_end(error):
            raise
        log.exception("task %s: diarization failed", run.job.uuid)
        run.warn(f"No speakers are named: diarization failed on this recording ({type(error).__name__}).")
        return segments
    finally:
        if run.settings.diarization.enable_offload:
            run.models.free("diarize")
    _keep(embeddings, run)
    _say_what_was_heard({str(speaker) for speaker in turns["speaker"]}, run)
    return speakers.assign(segments, turns, decode)


def _turns(samples: Samples, run: Run) -> tuple[Any, Embeddings]:
    """whisperx's table of turns (start, end, speaker) and the embedding of each speaker who has one."""
    asked = {name: run.params[name] for name in BOUNDS}
    if asked["num_speakers"] is not None:
        asked = {"num_speakers": asked["num_speakers"]}
    with contextlib.redirect_stdout(sys.stderr):  # pyannote prints
        turns, embeddings = run.models.diarizer()(
            samples,
            **asked,
            return_embeddings=True,
            progress_callback=lambda percent: run.advance(percent / 100),
        )
    return turns, {
        speaker: [round(finite(value), 6) for value in vector]
        for speaker, vector in (embeddings or {}).items()
        if np.isfinite(vector).all()  # a speaker who is never heard alone has none
    }


def _keep(embeddings: Embeddings, run: Run) -> None:
    if run.params["speaker_embeddings"]:
        run.speaker_embeddings = to_json(embeddings)


def _say_what_was_heard(heard: set[str], run: Run) -> None:
    if not heard:
        run.warn("No speakers are named: nobody was heard speaking.")
        return
    exact = run.params["num_speakers"]
    least, most = exact or run.params["min_speakers"], exact or run.params["max_speakers"]
    if (least and len(heard) < least) or (most and len(heard) > most):
        asked = "num_speakers" if exact else "min_speakers" if least and len(heard) < least else "max_speakers"
        run.warn(f"{asked} is {run.params[asked]}, but {len(heard)} could be told apart in this recording.")
