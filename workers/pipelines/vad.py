"""A recording to the times at which somebody speaks: decode → vad."""

from __future__ import annotations

from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages.segments import to_json
from workers.stages.vad import speech

DECODED = 0.3


def run(work: Run) -> tuple[str, str]:
    """The result type and the stretches of speech as JSON text. Raises SpeechError."""
    work.enter("decode", until=DECODED)
    samples = decode(work)
    work.learn(audio_duration=round(len(samples) / SAMPLE_RATE, 3))

    work.enter("vad", until=1.0)
    found = speech(samples, work.params, advance=work.advance)
    return "json", to_json([{"start": round(start, 3), "end": round(end, 3)} for start, end in found])
