"""GET /models: models and languages to choose from."""

from __future__ import annotations

from typing import Any

from flask_smorest import Blueprint

from app.api.openai.models import list_entries
from app.core.catalog.catalog import Model, diarization_model, find, list_models
from app.core.params import TranscriptionParams
from app.core.settings import COMPUTE_TYPES, Settings
from app.current import get_defaults, get_settings
from app.openapi import document_errors
from app.schemas.languages import LANGUAGES
from app.schemas.models import MODELS_EXAMPLE, Models

blueprint = Blueprint("Models", __name__, description="Models and languages that a client may choose.")


@blueprint.route("/models", methods=["GET"])
@blueprint.response(200, Models, example=MODELS_EXAMPLE)
@document_errors(blueprint, 503)
def describe_models() -> dict[str, Any]:
    """List models and languages."""
    return list_choices(get_settings(), get_defaults())


def list_choices(settings: Settings, defaults: TranscriptionParams) -> dict[str, Any]:
    """List the default and the choices of each parameter.

    The diarization model is listed, too, although no parameter chooses it. ``object`` and ``data`` are for OpenAI's
    clients whose base URL lacks /v1.
    """
    known = list_models(settings)
    whisper = [_describe(model, settings) for model in known if model.kind == "whisper"]
    separate = [_describe(model, settings) for model in known if model.kind == "separate"]
    aligners = {model.name.partition(":")[2]: model for model in known if model.kind == "align"}
    return {
        "model_size": {"default": defaults.model_size, "choices": whisper},
        "uvr_model_size": {"default": defaults.uvr_model_size, "choices": separate},
        "compute_type": {"default": defaults.compute_type, "choices": [{"name": name} for name in COMPUTE_TYPES]},
        "lang": {
            "default": defaults.lang,
            "choices": [
                {"name": name, "word_times": name in aligners, **_locate(aligners.get(name), settings)}
                for name in LANGUAGES
            ],
        },
        "diarization": _describe(diarization_model(settings), settings),
        "object": "list",
        "data": list_entries(settings, defaults),
    }


def _describe(model: Model, settings: Settings) -> dict[str, Any]:
    return {"name": model.name.rpartition(":")[2], **_locate(model, settings)}


def _locate(model: Model | None, settings: Settings) -> dict[str, Any]:
    found = find(model, settings) if model is not None else None
    return {"on_disk": found is not None, "source": found.source if found else None}
