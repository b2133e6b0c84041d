"""Find the times of the words of a known transcript: decode → align."""

from __future__ import annotations

from app.core.catalog.catalog import ALIGN
from app.core.db.states import ALIGNMENT
from app.core.params import AlignmentParams
from app.core.work import DECODED
from workers.audio.decode import decode
from workers.device.run import Run
from workers.stages.given import align_given
from workers.stages.segments import to_json

MODEL_KINDS: tuple[str, ...] = (ALIGN,)


def run(run: Run[AlignmentParams]) -> tuple[str, str]:
    """Return "json" and the segments as JSON.

    Raises SpeechError.
    """
    run.enter("decode", until=DECODED[ALIGNMENT])
    samples = decode(run)

    run.enter("align", until=1.0)
    run.add_facts(language=run.params.lang)
    if run.job.transcript is None:
        raise ValueError("An alignment needs a transcript.")
    segments = align_given(run.job.transcript, samples, run.models.aligner(run.params.lang), run)
    return "json", to_json(segments)
