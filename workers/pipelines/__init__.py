"""One pipeline per kind of task: it calls the stages."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from app.core.db.states import ALIGNMENT, BGM_SEPARATION, DETECT_LANGUAGE, TRANSCRIPTION, VAD
from app.core.params import Params
from workers.device.libraries import import_library
from workers.device.run import Run

MODULES = {
    TRANSCRIPTION: "transcription",
    VAD: "vad",
    BGM_SEPARATION: "bgm_separation",
    DETECT_LANGUAGE: "detect_language",
    ALIGNMENT: "alignment",
}

P_contra = TypeVar("P_contra", bound=Params, contravariant=True)


class Pipeline(Protocol[P_contra]):
    """The interface of each module here.

    ``MODEL_KINDS`` are the kinds of models it may load; with ``enable_offload`` they are freed after the task.
    """

    MODEL_KINDS: tuple[str, ...]

    def run(self, run: Run[P_contra], /) -> tuple[str, str]:
        """Return the result type and the result as JSON.

        Raises SpeechError.
        """


def load_pipeline(task_type: str) -> Pipeline[Any]:
    """Import the pipeline of a kind of task, with the libraries that it needs.

    The first time, this takes seconds.
    """
    pipeline: Any = import_library(f"workers.pipelines.{MODULES[task_type]}")
    return pipeline  # type: ignore[no-any-return]
