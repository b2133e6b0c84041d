"""One module per kind of task, which leads a recording through its stages."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from app.core.db.states import BGM_SEPARATION, TRANSCRIPTION, VAD
from app.core.params import Params
from workers.device.run import Run

P_contra = TypeVar("P_contra", bound=Params, contravariant=True)


class Pipeline(Protocol[P_contra]):
    """What each module here offers.

    ``MODEL_KINDS`` are the kinds of models it may load, which ``enable_offload`` frees after the task.
    """

    MODEL_KINDS: tuple[str, ...]

    def run(self, run: Run[P_contra], /) -> tuple[str, str]:
        """Return the result type and the result as JSON text. Raises SpeechError."""


def load_pipelines() -> dict[str, Pipeline[Any]]:
    """Import all pipelines, and the libraries they need. The kind of task decides which parameters one gets."""
    from workers.pipelines import bgm_separation, transcription, vad

    return {TRANSCRIPTION: transcription, VAD: vad, BGM_SEPARATION: bgm_separation}
