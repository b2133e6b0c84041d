"""Detect the language of a recording from its beginning: decode → detect."""

from __future__ import annotations

from app.core.catalog.catalog import WHISPER
from app.core.db.states import DETECT_LANGUAGE
from app.core.languages import NAMES
from app.core.params import DetectLanguageParams
from app.core.work import DECODED
from workers.device.run import Run
from workers.stages.language import decode_speech, detect_language
from workers.stages.segments import finite_or, to_json
from workers.stages.transcribe import load_model

MODEL_KINDS: tuple[str, ...] = (WHISPER,)


def run(run: Run[DetectLanguageParams]) -> tuple[str, str]:
    """Return "json" and the language with its probability as JSON.

    Raises SpeechError.
    """
    run.enter("decode", until=DECODED[DETECT_LANGUAGE])
    samples, windows = decode_speech(run)

    run.enter("detect", until=1.0)
    model = load_model(run)
    code, confidence = "en", 1.0
    if model.model.is_multilingual:
        code, confidence = detect_language(samples, windows, model, run)
    else:
        run.warn(f"The language was not detected: model {run.params.model_size} supports English only.")
    run.add_facts(language=code)
    result = {
        "language_code": code,
        "language": NAMES.get(code, code),
        "confidence": round(min(1.0, max(0.0, finite_or(confidence))), 4),
    }
    return "json", to_json(result)
