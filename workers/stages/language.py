"""Find out which language a recording is in."""

from __future__ import annotations

from typing import Any

import numpy as np

from app.core.errors import SpeechError
from app.core.params import TranscriptionParams
from workers.audio.decode import Samples
from workers.audio.windows import Window
from workers.device import patches
from workers.device.run import Run


def choose_language(samples: Samples, windows: list[Window], model: Any, run: Run[TranscriptionParams]) -> str:
    """Return the language code that the client gave, or the one that the model hears in the windows.

    Raises SpeechError unsupported_language.
    """
    params = run.params
    asked = params.lang
    if not model.model.is_multilingual:
        if asked not in (None, "en"):
            run.warn(f"lang {asked} has no effect: model {params.model_size} supports English only")
        if params.is_translate:
            run.warn(f"is_translate has no effect: model {params.model_size} supports English only")
        return "en"
    if asked is None:
        return _detect(samples, windows, model, params)
    if model.hf_tokenizer.token_to_id(f"<|{asked}|>") is None:
        say = f"Model {params.model_size!r} does not support language {asked!r}."
        raise SpeechError("unsupported_language", say)
    return asked


def _detect(samples: Samples, windows: list[Window], model: Any, params: TranscriptionParams) -> str:
    """Detect the language where speech is heard: noise before it is not a language."""
    patches.restore_feature_window(model.feature_extractor)
    most = params.language_detection_segments * model.feature_extractor.n_samples
    heard = [window for window in windows if window.speech] or windows
    pieces: list[Samples] = []
    for window in heard:
        pieces.append(window.cut(samples))
        if sum(map(len, pieces)) >= most:
            break
    detected: str = model.detect_language(
        np.concatenate(pieces)[:most],
        language_detection_segments=params.language_detection_segments,
        language_detection_threshold=params.language_detection_threshold,
    )[0]
    return detected
