"""Parameters match their schemas, survive storage unchanged, and are typed."""

from __future__ import annotations

import json
import math
import pickle
import re
from dataclasses import MISSING, FrozenInstanceError, fields
from typing import Any

import marshmallow
import pytest

from app.core.db.states import ALIGNMENT, BGM_SEPARATION, DETECT_LANGUAGE, TASK_TYPES, TRANSCRIPTION, VAD
from app.core.params import (
    PARAMS,
    AlignmentParams,
    BgmSeparationParams,
    DetectLanguageParams,
    TranscriptionParams,
    VadParams,
    parse_params,
)
from app.schemas.alignment import AlignmentParameters
from app.schemas.bgm_separation import BgmSeparationParameters
from app.schemas.detect_language import DetectLanguageParameters
from app.schemas.parameters import Parameters
from app.schemas.transcription import TranscriptionParameters
from app.schemas.vad import VadTaskParameters
from tests.service import ROOT

SCHEMAS: dict[str, type[Parameters]] = {
    TRANSCRIPTION: TranscriptionParameters,
    VAD: VadTaskParameters,
    BGM_SEPARATION: BgmSeparationParameters,
    DETECT_LANGUAGE: DetectLanguageParameters,
    ALIGNMENT: AlignmentParameters,
}
FULL: dict[str, Any] = {
    TRANSCRIPTION: TranscriptionParams(
        model_size="mini",
        batch_size=2,
        compute_type="int8",
        enable_offload=False,
        uvr_model_size="mini",
        suppress_tokens=(1, 2),
        max_speech_duration_s=2.5,
        lang="de",
    ),
    VAD: VadParams(),
    BGM_SEPARATION: BgmSeparationParams(uvr_model_size="mini", enable_offload=True, segment_size=64),
    DETECT_LANGUAGE: DetectLanguageParams(model_size="mini", compute_type="int8", enable_offload=True, raw_pcm=True),
    ALIGNMENT: AlignmentParams(transcript="9f2c", lang="de", audio_track=1),
}


def default_of(field: marshmallow.fields.Field[Any]) -> Any:
    default = field.load_default
    if default is marshmallow.missing:
        return MISSING
    return default() if callable(default) else default


def test_every_kind_of_task_has_its_parameters() -> None:
    assert set(PARAMS) == set(SCHEMAS) == set(FULL) == set(TASK_TYPES)
    assert {kind: schema.params_class for kind, schema in SCHEMAS.items()} == PARAMS


@pytest.mark.parametrize("kind", TASK_TYPES)
def test_dataclass_has_the_fields_and_defaults_of_the_schema(kind: str) -> None:
    declared = {f.name: f.default for f in fields(PARAMS[kind])}
    schema = {name: default_of(field) for name, field in SCHEMAS[kind]().fields.items()}
    assert list(declared) == list(schema)
    for name, default in schema.items():
        assert type(declared[name]) is type(default) and declared[name] == default, name


@pytest.mark.parametrize("kind", TASK_TYPES)
def test_parameters_survive_storage(kind: str) -> None:
    text = json.dumps(FULL[kind].to_json(), allow_nan=False)
    assert parse_params(kind, text) == FULL[kind]
    assert pickle.loads(pickle.dumps(FULL[kind])) == FULL[kind]


def test_infinite_speech_duration_is_stored_as_null() -> None:
    stored = VadParams(max_speech_duration_s=math.inf).to_json()
    assert stored["max_speech_duration_s"] is None
    assert parse_params(VAD, json.dumps(stored)) == VadParams()


def test_token_of_a_client_is_neither_stored_nor_printed() -> None:
    params = TranscriptionParams.from_json({**FULL[TRANSCRIPTION].to_json(), "hf_token": "hf_secret"})
    assert params.hf_token == "hf_secret"
    assert "hf_token" not in params.to_json() and "hf_secret" not in repr(params)


def test_parameters_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        FULL[VAD].threshold = 1.0


def test_file_url_is_not_a_parameter() -> None:
    assert parse_params(VAD, '{"file_url": "https://example.org/a.wav"}') == VadParams()


def test_missing_value_gets_its_default() -> None:
    assert parse_params(VAD, '{"threshold": 0.7}') == VadParams(threshold=0.7)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        *((VAD, '{"nonsense": 1}'), (VAD, "[]"), (VAD, "null"), (VAD, "{"), (VAD, ""), ("unknown", "{}")),
        *((BGM_SEPARATION, "{}"), (TRANSCRIPTION, "{}")),  # a model has no default
    ],
)
def test_invalid_stored_parameters_are_refused(kind: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_params(kind, text)


def test_parameters_are_typed_outside_the_web_side() -> None:
    files = [*ROOT.glob("workers/**/*.py"), *ROOT.glob("app/core/**/*.py")]
    assert len(files) > 50
    found = [str(file) for file in files if re.search(r"params(\[[\"'a-z]|\.get\()", file.read_text())]
    assert [name for name in found if not name.endswith("app/core/params.py")] == []
