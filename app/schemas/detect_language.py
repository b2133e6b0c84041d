"""The parameters of POST /detect-language, and its result.

A transcription takes ModelParameters and DetectionParameters, too.
"""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates

from app.core.catalog.catalog import whisper_models
from app.core.languages import LANGUAGES, NAMES
from app.core.params import DetectLanguageParams
from app.core.settings import COMPUTE_TYPES, Settings
from app.current import get_settings
from app.schemas.fields import Number, WholeNumber
from app.schemas.recording import RecordingParameters

MOST_WINDOWS = 10_000


class ModelParameters(Schema):
    """Which Whisper model runs, and how."""

    model_size = fields.String(metadata={"description": "Whisper model, see GET /models. Default: config.yaml."})
    compute_type = fields.String(
        validate=validate.OneOf(COMPUTE_TYPES),
        metadata={"description": "Numeric type of the model's computation. Default: config.yaml."},
    )
    enable_offload = fields.Boolean(metadata={"description": "Free the models after the task. Default: config.yaml."})

    @validates("model_size")
    def check_whisper_model(self, value: str, data_key: str) -> None:
        names = whisper_models(get_settings())
        if value not in names:
            raise ValidationError(f"Unknown model. Available: {', '.join(sorted(names))}.")


class DetectionParameters(Schema):
    """How much speech decides the language."""

    language_detection_threshold = Number(
        load_default=0.5,
        validate=validate.Range(0, 1),
        metadata={"description": "Stop detecting once a language is this probable."},
    )
    language_detection_segments = WholeNumber(
        load_default=1,
        validate=validate.Range(1, MOST_WINDOWS),
        metadata={"description": "Number of 30 s windows used to detect the language."},
    )


class DetectLanguageParameters(DetectionParameters, ModelParameters, RecordingParameters):
    """All parameters of POST /detect-language.

    Clients send them in the query or as form fields.
    """

    params_class = DetectLanguageParams

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        return configured_model(settings)


class DetectedLanguage(Schema):
    """The result of a language detection."""

    language_code = fields.String(metadata={"enum": list(LANGUAGES)})
    language = fields.String(metadata={"enum": list(NAMES.values()), "description": "English name, in lower case."})
    confidence = fields.Float(metadata={"minimum": 0, "maximum": 1})


def configured_model(settings: Settings) -> dict[str, Any]:
    """Return config.yaml's values for missing ModelParameters."""
    return {
        "model_size": settings.whisper.model_size,
        "compute_type": settings.whisper.compute_type,
        "enable_offload": settings.whisper.enable_offload,
    }


def describe_ignored(params: DetectLanguageParams) -> list[str]:
    """List a warning for each value without effect."""
    default = DetectLanguageParams.language_detection_threshold
    if params.language_detection_segments == 1 and params.language_detection_threshold != default:
        return ["language_detection_threshold has no effect: language_detection_segments=1 uses one window."]
    return []
