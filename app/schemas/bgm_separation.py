"""The parameters of POST /bgm-separation, which are also those of a transcription's is_separate_bgm."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import ValidationError, fields, validate, validates

from app.core.catalog.catalog import separation_models
from app.core.settings import Settings
from app.current import get_settings
from app.schemas.fields import Text, Whole
from app.schemas.parameters import Parameters

STEM_FORMATS = ("wav", "flac", "mp3")
SEGMENT_FRAMES = (32, 4000)
UVR = re.compile("UVR[ _-]", re.IGNORECASE)


def _about(text: str) -> dict[str, Any]:
    return {"description": text}


class SeparationParameters(Parameters):
    """Which model separates, and what becomes of the stems."""

    uvr_model_size = Text(
        most=200,
        metadata=_about(
            "Separation model; one that the server allows. Default: config.yaml. See `warnings` for UVR's."
        ),
    )
    segment_size = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(*SEGMENT_FRAMES),
        metadata=_about(
            "How much the model hears at once, in frames of 1024 samples at 44.1 kHz; left out, what suits the model."
        ),
    )
    stem_format = fields.String(
        load_default="wav",
        validate=validate.OneOf(STEM_FORMATS),
        metadata=_about("Kind of files the stems are kept in."),
    )

    @validates("uvr_model_size")
    def allowed_separator(self, value: str, data_key: str) -> None:
        names = separation_models(get_settings())
        if value not in names and not UVR.match(value):
            raise ValidationError(f"There is no such model here; there are: {', '.join(sorted(names))}.")


class BgmSeparationParameters(SeparationParameters):
    """All parameters of a separation, as query parameters or form fields."""

    is_separate_bgm = fields.Boolean(
        load_default=True, metadata=_about("Accepted for clients of Whisper-WebUI: always true.")
    )
    save_file = fields.Boolean(
        load_default=True, metadata=_about("Accepted for clients of Whisper-WebUI: always true.")
    )
    enable_offload = fields.Boolean(metadata=_about("Free the model after the task. Default: config.yaml."))
    uvr_device = Text(
        load_default=None,
        allow_none=True,
        most=200,
        metadata=_about("Accepted for clients of Whisper-WebUI; without effect here."),
    )

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        return {
            "uvr_model_size": settings.bgm_separation.model_size,
            "enable_offload": settings.bgm_separation.enable_offload,
        }


def substituted(params: Mapping[str, Any], settings: Settings) -> tuple[dict[str, Any], list[str]]:
    """``params`` with a model that runs here in place of one of UVR's, and what is to be said about it."""
    asked, chosen = params["uvr_model_size"], settings.bgm_separation.model_size
    if asked in separation_models(settings):
        return dict(params), []
    return {**params, "uvr_model_size": chosen}, [
        f"uvr_model_size {asked} does not run here: {chosen} was used instead."
    ]


def without_effect(params: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each parameter that asks for what a separation does not do."""
    if not params["is_separate_bgm"]:
        yield "is_separate_bgm has no effect: /bgm-separation always separates."
    if not params["save_file"]:
        yield "save_file has no effect: /bgm-separation always keeps its files."
    if params["uvr_device"] is not None:
        yield "uvr_device has no effect: the server decides which device runs what."
