"""The response of GET /models.

Per parameter: the default and the choices. The diarization model is listed, too, although no parameter chooses it.
"""

from __future__ import annotations

from marshmallow import Schema, fields
from marshmallow.validate import OneOf

from app.core.catalog.catalog import FOLDER, HUB, PYPI

MODELS_EXAMPLE = {
    "model_size": {
        "default": "large-v3",
        "choices": [
            {"name": "large-v3", "on_disk": True, "source": "hub"},
            {"name": "tiny", "on_disk": False, "source": None},
        ],
    },
    "uvr_model_size": {
        "default": "htdemucs",
        "choices": [
            {"name": "htdemucs", "on_disk": True, "source": "hub"},
            {"name": "mdx_extra", "on_disk": False, "source": None},
        ],
    },
    "compute_type": {"default": "auto", "choices": [{"name": "auto"}, {"name": "int8"}]},
    "lang": {
        "default": None,
        "choices": [
            {"name": "de", "word_times": True, "on_disk": True, "source": "hub"},
            {"name": "haw", "word_times": False, "on_disk": False, "source": None},
        ],
    },
    "diarization": {"name": "speaker-diarization-community-1", "on_disk": True, "source": "hub"},
    "object": "list",
    "data": [
        {
            "id": "whisper-1",
            "object": "model",
            "created": 1663718400,
            "owned_by": "openai",
            "task": "automatic-speech-recognition",
            "language": ["de", "en"],
        }
    ],
}
ON_DISK = "Whether the model is on disk; if not, it is downloaded when a task first needs it."
SOURCE = "Where the model on disk is from: a hub, PyPI, or a folder that the operator provides."


class Name(Schema):
    name = fields.String(metadata={"description": "Value of the parameter."})


class Located(Schema):
    on_disk = fields.Boolean(metadata={"description": ON_DISK})
    source = fields.String(allow_none=True, validate=OneOf([HUB, PYPI, FOLDER, None]), metadata={"description": SOURCE})


class NamedModel(Located, Name):
    pass


class Language(NamedModel):
    word_times = fields.Boolean(
        metadata={"description": "Whether an alignment model exists; without one, times are less exact."}
    )


class Names(Schema):
    default = fields.String()
    choices = fields.List(fields.Nested(Name))


class NamedModels(Schema):
    default = fields.String()
    choices = fields.List(fields.Nested(NamedModel))


class Languages(Schema):
    default = fields.String(allow_none=True, metadata={"description": "`null`: the language is detected."})
    choices = fields.List(fields.Nested(Language))


class Diarization(Located):
    name = fields.String(metadata={"description": "The model behind `is_diarize`; the server chooses it."})


class OpenAIModel(Schema):
    """A model as OpenAI's clients read it."""

    id = fields.String(metadata={"description": "Name to send as `model` to /v1."})
    object = fields.String(validate=OneOf(["model"]))
    created = fields.Integer()
    owned_by = fields.String()
    task = fields.String()
    language = fields.List(fields.String())


class Models(Schema):
    model_size = fields.Nested(NamedModels)
    uvr_model_size = fields.Nested(NamedModels)
    compute_type = fields.Nested(Names)
    lang = fields.Nested(Languages)
    diarization = fields.Nested(Diarization)
    object = fields.String(validate=OneOf(["list"]), metadata={"description": "For clients of OpenAI."})
    data = fields.List(fields.Nested(OpenAIModel), metadata={"description": "The same list as GET /v1/models."})
