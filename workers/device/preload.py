"""Load the models that most tasks need, before a task needs them.

A missing model is logged; it fails only the tasks that use it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from app.core.errors import SpeechError
from app.core.settings import Settings
from workers.device.libraries import ALIGNMENT_LIBRARY, SENTENCE_LIBRARY, import_library
from workers.device.protocol import Slot
from workers.models.cache import KEPT, WarmModels, choose_compute_type
from workers.pipelines import MODULES, load_pipeline

log = logging.getLogger(__name__)


def load_first(models: WarmModels, slot: Slot, settings: Settings) -> None:
    """Load what a transcription needs first. The process is ready after this."""
    for task_type in MODULES:
        load_pipeline(task_type)
    whisper = settings.whisper
    if not whisper.enable_offload:
        _load(partial(models.whisper, whisper.model_size, choose_compute_type(whisper.compute_type, slot.device)))


def load_others(models: WarmModels, settings: Settings) -> None:
    """Load the other models and libraries, while the first tasks may run already."""
    for library in (SENTENCE_LIBRARY, ALIGNMENT_LIBRARY):  # in the order of use
        import_library(library)
    if not settings.whisper.enable_offload:
        for language in list(settings.align.models)[: KEPT["align"]]:
            _load(partial(models.aligner, language))
    if not settings.bgm_separation.enable_offload:
        _load(partial(models.separator, settings.bgm_separation.model_size))


def _load(load: Callable[[], object]) -> None:
    try:
        load()
    except SpeechError as error:
        log.warning("not preloaded: %s", error.message)
