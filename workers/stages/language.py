"""Find out which language a recording is in."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import numpy as np

from app.core.errors import SpeechError
from app.core.params import DetectionOptions, DetectLanguageParams, TranscriptionParams
from workers.audio.decode import SAMPLE_RATE, Samples, decode_beginning
from workers.audio.windows import Window, drop_silent, follow_speech
from workers.device.run import Run
from workers.device.threads import count_window_cores
from workers.device.turns import Turn

WINDOW_SECONDS = 30.0  # what Whisper hears at once
LONGEST_SEARCH_SECONDS = 600.0  # for speech, before the model has to guess


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
        return detect_language(samples, windows, model, run)[0]
    if model.hf_tokenizer.token_to_id(f"<|{asked}|>") is None:
        say = f"Model {params.model_size!r} does not support language {asked!r}."
        raise SpeechError("unsupported_language", say)
    return asked


def detect_language(
    samples: Samples, windows: list[Window], model: Any, run: Run[DetectionOptions]
) -> tuple[str, float]:
    """Detect the language where speech is heard: noise before it is not a language.

    Returns its code and its probability.
    """
    options = run.params
    most = options.language_detection_segments * model.feature_extractor.n_samples
    heard = [window for window in windows if window.speech] or windows
    pieces: list[Samples] = []
    for window in heard:
        pieces.append(window.cut(samples))
        if sum(map(len, pieces)) >= most:
            break
    features = model.feature_extractor(np.concatenate(pieces)[:most])
    with run.turn(count_window_cores(run.slot)) as turn:
        code, probability, _ = _let_others_go_first(model, turn).detect_language(
            features=features,
            language_detection_segments=options.language_detection_segments,
            language_detection_threshold=options.language_detection_threshold,
        )
    return code, probability


def _let_others_go_first(model: Any, turn: Turn) -> Any:
    """Return a WhisperModel with the weights of ``model`` that passes the turn on before each window."""

    def encode(features: Any) -> Any:
        turn.pass_on()
        return model.encode(features)

    polite = copy.copy(model)
    polite.encode = encode
    return polite


def decode_speech(run: Run[DetectLanguageParams]) -> tuple[Samples, list[Window]]:
    """Decode the beginning of the recording, as much as is needed to detect the language.

    Returns its samples, and windows of which at least one is audible if any is. Of a film, that is usually the first
    minute. Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long, invalid_parameters.
    """
    wanted = run.params.language_detection_segments * WINDOW_SECONDS
    with contextlib.closing(decode_beginning(run, wanted)) as beginnings:
        for samples in beginnings:
            windows = drop_silent(follow_speech(samples, WINDOW_SECONDS), samples)
            heard = sum(window.end - window.start for window in windows if window.speech)
            run.advance(heard / wanted)
            if heard >= wanted or len(samples) >= max(wanted, LONGEST_SEARCH_SECONDS) * SAMPLE_RATE:
                break
    if not heard:
        run.warn("No speech was heard: the language is a guess.")
    return samples, windows or [Window(0.0, len(samples) / SAMPLE_RATE, False)]
