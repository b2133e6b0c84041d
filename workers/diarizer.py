"""Load a pyannote diarization pipeline, from a folder or the hub, and say what to do where it cannot be had."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from app.catalogue import as_folder
from app.errors import SpeechError
from app.settings import Settings

log = logging.getLogger(__name__)

HUB = "https://huggingface.co/"
# what a pipeline loads beside itself and is gated likewise
GATED_PARTS = {
    "pyannote/speaker-diarization-3.1": ("pyannote/segmentation-3.0", "pyannote/speaker-diarization-community-1")
}
MOST_CLUSTERED = 6000


def load(settings: Settings, device: str) -> Any:
    """whisperx's DiarizationPipeline of ``diarization.model`` on ``device``. Raises SpeechError model_not_available."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a page on torchcodec, which decodes files; we hand over samples
        from whisperx.diarize import DiarizationPipeline

    name = settings.diarization.model
    folder = as_folder(name, settings)
    try:
        pipeline = DiarizationPipeline(
            str(folder or name),
            token=settings.hf_token or None,
            device=device,
            cache_dir=str(settings.models.path),
        )
    except Exception as error:
        log.warning("no diarization by %s: %s: %s", name, type(error).__name__, error)
        raise SpeechError(
            "model_not_available", _broken(name, error) if folder else _advice(settings, error)
        ) from error
    bound_clustering(pipeline.model)
    return pipeline


def bound_clustering(pipeline: Any, most: int = MOST_CLUSTERED) -> None:
    """Let ``pipeline`` (pyannote's) cluster at most ``most`` embeddings, evenly spaced; the others join the nearest cluster.

    Clustering holds the distances of all pairs: a recording of twelve hours would take tens of gigabytes. Windows
    overlap, so that hours still have every speaker many times in 6000 of them, which take 0.3 GB.
    """
    import numpy as np

    every = pipeline.clustering.filter_embeddings

    def some(*args: Any, **kwargs: Any) -> Any:
        found = every(*args, **kwargs)
        chosen = np.linspace(0, len(found[0]) - 1, min(most, len(found[0]))).round().astype(int)
        return tuple(part[chosen] for part in found)

    pipeline.clustering.filter_embeddings = some


def _broken(name: str, error: Exception) -> str:
    return f"the diarization model {name!r} on this machine is broken: {error}"


def _advice(settings: Settings, error: Exception) -> str:
    name = settings.diarization.model
    pages = " and ".join(HUB + page for page in (name, *GATED_PARTS.get(name, ())))
    accept = f"Accept the conditions on {pages}"
    if not settings.hf_token:
        say = f"the model {name} asks for a Hugging Face token, and the server has none."
        return f"{say} {accept} and set HF_TOKEN on the server."
    if _refused(error):
        return (
            f"Hugging Face refused the model {name} to the server's HF_TOKEN. {accept} with the account of that token, "
            f"or set another HF_TOKEN on the server."
        )
    return (
        f"the model {name} is not on this machine and could not be downloaded. Connect the machine to the model hub, "
        f"{accept[0].lower()}{accept[1:]} and set HF_TOKEN; or put a pyannote pipeline's folder on the machine and set "
        f"diarization.model in config.yaml to it."
    )


def _refused(error: BaseException | None) -> bool:
    """Whether the hub answered that this token may not have the model."""
    while error is not None:
        if getattr(getattr(error, "response", None), "status_code", None) in (401, 403, 404):
            return True
        error = error.__cause__ or error.__context__
    return False
