"""Detect speech in a recording: decode → vad."""

from __future__ import annotations

from app.core.db.states import VAD
from app.core.params import VadParams
from app.core.work import DECODED
from workers.audio.decode import decode
from workers.device.run import Run
from workers.stages.segments import to_json
from workers.stages.vad import detect_speech

MODEL_KINDS: tuple[str, ...] = ()  # Silero is a small part of faster-whisper and stays loaded


def run(run: Run[VadParams]) -> tuple[str, str]:
    """Return "json" and the intervals of speech as JSON.

    Raises SpeechError.
    """
    run.enter("decode", until=DECODED[VAD])
    samples = decode(run)

    run.enter("vad", until=1.0)
    found = detect_speech(samples, run.params, advance=run.advance)
    return "json", to_json([{"start": round(start, 3), "end": round(end, 3)} for start, end in found])
