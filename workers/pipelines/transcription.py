"""Transcribe a recording: decode → transcribe → align.

On request, with separate before and diarize after.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from app.core.catalog.catalog import ALIGN, DIARIZE, SEPARATE, WHISPER
from app.core.db.states import TRANSCRIPTION
from app.core.errors import SpeechError
from app.core.params import TranscriptionParams
from app.core.work import DECODED, SEPARATED, TRANSCRIBED, UNDIARIZED
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages import align, attention, diarize, separate, transcribe
from workers.stages.segments import Segment, sort_and_clamp, to_json
from workers.stages.transcribe import Plan

MODEL_KINDS: tuple[str, ...] = (WHISPER, ALIGN, SEPARATE, DIARIZE)


def run(run: Run[TranscriptionParams]) -> tuple[str, str]:
    """Return "json" and the segments as JSON.

    Raises SpeechError.
    """
    params = run.params
    run.enter("decode", until=DECODED[TRANSCRIPTION])
    samples = decode(run, copies=2 if params.is_separate_bgm else 1)
    seconds = len(samples) / SAMPLE_RATE

    before_speakers = UNDIARIZED if params.is_diarize else 1.0
    speech = samples
    if params.is_separate_bgm:
        run.enter("separate", until=SEPARATED * before_speakers)
        speech = separate.separate_vocals(run, keep=params.save_file)

    run.enter("transcribe", until=TRANSCRIBED * before_speakers)
    model = transcribe.load_model(run)
    plan = transcribe.make_plan(speech, model, run)
    aligner, obstacle = _load_aligner(plan, run)
    segments = transcribe.transcribe(speech, plan, aligner is None, run)
    if segments and obstacle:
        run.warn(obstacle)

    if segments and plan.decoder is not None and aligner is not None:
        run.enter("align", until=before_speakers)
        time_segments = partial(attention.time_segments, samples=speech, decoder=plan.decoder, run=run)
        segments = align.align(segments, speech, aligner, plan.decoder.decode_text, time_segments, run)
    if params.is_diarize:
        run.enter("diarize", until=1.0)
        # on the original audio, even if the words come from separated vocals
        segments = diarize.diarize(segments, samples, model.hf_tokenizer.decode, run)
    if not transcribe.has_words(plan, params):  # only now, as they say where the speaker changes
        segments = [Segment(**{**segment, "words": []}) for segment in segments]
    segments = sort_and_clamp(segments, seconds)
    run.compare_with_shown(map(to_json, segments))
    return "json", to_json(segments)


def _load_aligner(plan: Plan, run: Run[TranscriptionParams]) -> tuple[Any, str | None]:
    """Load the alignment model before decoding: without one, times come from Whisper.

    Returns the model, or None and a warning.
    """
    if plan.decoder is None or not run.params.word_timestamps:
        return None, None
    if not transcribe.has_words(plan, run.params):
        return None, "No word timestamps: a translation cannot be aligned with the audio."
    try:
        return run.models.aligner(str(plan.language)), None
    except SpeechError as error:  # the transcript is useful with less exact times
        return None, f"Word times are Whisper's own, and less exact: {error.message}"
