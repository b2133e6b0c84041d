"""The parameters of POST /bgm-separation.

A transcription with is_separate_bgm takes SeparationParameters, too.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, TypeVar

from marshmallow import ValidationError, fields, validate, validates

from app.core.catalog.catalog import separation_models
from app.core.params import BgmSeparationParams, SeparationOptions
from app.core.settings import Settings
from app.current import get_settings
from app.schemas.fields import Text, WholeNumber
from app.schemas.recording import ListeningParameters

STEM_FORMATS = ("wav", "flac", "mp3")
SEGMENT_FRAMES = (32, 4000)
UVR = re.compile("UVR[ _-]", re.IGNORECASE)

S = TypeVar("S", bound=SeparationOptions)


def _describe(text: str) -> dict[str, Any]:
    return {"description": text}


class SeparationParameters(ListeningParameters):
    """Which model separates, and how stems are stored."""

    uvr_model_size = Text(
        most=200,
        keeps_space=False,
        metadata=_describe(
            "Separation model, see GET /models. A UVR model name is replaced, with a warning. Default: config.yaml."
        ),
    )
    segment_size = WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(*SEGMENT_FRAMES),
        metadata=_describe(
            "Length of the segments that the model processes, in frames of 1024 samples at 44.1 kHz. Default: the model's own."
        ),
    )
    stem_format = fields.String(
        load_default="wav",
        validate=validate.OneOf(STEM_FORMATS),
        metadata=_describe("File format of the stems."),
    )

    @validates("uvr_model_size")
    def check_separation_model(self, value: str, data_key: str) -> None:
        names = separation_models(get_settings())
        if value not in names and not UVR.match(value):
            raise ValidationError(f"Unknown model. Available: {', '.join(sorted(names))}.")


class BgmSeparationParameters(SeparationParameters):
    """All parameters of POST /bgm-separation.

    Clients send them in the query or as form fields.
    """

    params_class = BgmSeparationParams

    is_separate_bgm = fields.Boolean(
        load_default=True, metadata=_describe("Accepted for clients of Whisper-WebUI; always true.")
    )
    save_file = fields.Boolean(
        load_default=True, metadata=_describe("Accepted for clients of Whisper-WebUI; always true.")
    )
    enable_offload = fields.Boolean(metadata=_describe("Free the model after the task. Default: config.yaml."))
    uvr_device = Text(
        load_default=None,
        allow_none=True,
        most=200,
        keeps_space=False,
        metadata=_describe("Accepted for clients of Whisper-WebUI; no effect."),
    )

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        return {
            "uvr_model_size": settings.bgm_separation.model_size,
            "enable_offload": settings.bgm_separation.enable_offload,
        }


def replace_uvr_model(params: S, settings: Settings) -> tuple[S, list[str]]:
    """Replace a UVR model name by the default model.

    Clients of Whisper-WebUI send names of UVR models, which this server does not have. Returns the parameters, and a
    warning if the model changed.
    """
    name, default = params.uvr_model_size, settings.bgm_separation.model_size
    if name in separation_models(settings):
        return params, []
    warning = f"uvr_model_size {name} is not available on this server: {default} was used instead."
    return replace(params, uvr_model_size=default), [warning]


def describe_ignored(params: BgmSeparationParams) -> list[str]:
    """List a warning for each value without effect."""
    warnings = []
    if not params.is_separate_bgm:
        warnings.append("is_separate_bgm has no effect: /bgm-separation always separates.")
    if not params.save_file:
        warnings.append("save_file has no effect: /bgm-separation always keeps its files.")
    if params.uvr_device is not None:
        warnings.append("uvr_device has no effect: the server chooses the device.")
    return warnings
