"""Parameters of /bgm-separation: models of this server, UVR names with a warning, stem formats."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from app.core.db.tasks import Task
from tests.app.posting import post, refused, rows


def stored(web: Flask, query: str = "", path: str = "/bgm-separation") -> tuple[dict[str, Any], list[str]]:
    """Parameters and warnings of an accepted task."""
    assert (answer := post(web, query, path=path)).status_code == 201, answer.text
    row: Task = rows()[-1]
    return json.loads(row.params), json.loads(row.warnings)


def test_defaults_are_the_servers_own(web: Flask) -> None:
    params, warnings = stored(web)
    assert params == {
        "audio_track": None,
        "raw_pcm": False,
        "uvr_model_size": "mini",
        "segment_size": None,
        "listening_copy": "off",
        "stem_format": "wav",
        "is_separate_bgm": True,
        "save_file": True,
        "enable_offload": True,
        "uvr_device": None,
    }
    assert warnings == []


@pytest.mark.parametrize("name", ["UVR-MDX-NET-Inst_HQ_4", "UVR-MDX-NET-Inst_3", "uvr_mdx"])
def test_model_of_uvr_is_replaced_with_a_warning(web: Flask, name: str) -> None:
    params, warnings = stored(web, f"?uvr_model_size={name}")
    assert params["uvr_model_size"] == "mini"
    assert warnings == [f"uvr_model_size {name} is not available on this server: mini was used instead."]


@pytest.mark.parametrize("name", ["UVR-MDX-NET-Inst_HQ_4"])
def test_transcription_replaces_a_model_of_uvr_too(web: Flask, name: str) -> None:
    query = f"?uvr_model_size={name}&is_separate_bgm="
    params, warnings = stored(web, query + "true", "/transcription")
    assert params["uvr_model_size"] == "mini" and len(warnings) == 1 and "mini was used instead" in warnings[0]
    params, warnings = stored(web, query + "false", "/transcription")
    assert params["uvr_model_size"] == "mini"
    assert warnings == ["uvr_model_size has no effect: is_separate_bgm is off."]


@pytest.mark.parametrize("path", ["/bgm-separation", "/transcription"])
@pytest.mark.parametrize("name", ["evil/repo", "/etc/passwd", "../demucs", "htdemucs", "hf://x/y", "UVR", "Mini"])
def test_unknown_separation_models_are_refused_with_a_list(web: Flask, path: str, name: str) -> None:
    body = refused(post(web, f"?uvr_model_size={name}", path=path), 422, "uvr_model_size")
    assert "Available: mini." in body["errors"]["uvr_model_size"][0]
    assert rows() == []


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("audio_track", ["-1", "1000", "1.5", "first"]),
        ("stem_format", ["ogg", "WAV"]),
        ("segment_size", ["31", "4001", "1.5", "nan", "-64"]),
        ("save_file", ["perhaps"]),
        ("beam_size", ["5"]),
    ],
)
def test_invalid_separation_values_are_refused_by_name(web: Flask, name: str, values: list[str]) -> None:
    for value in values:
        refused(post(web, f"?{name}={value}", path="/bgm-separation"), 422, name)


def test_separation_parameters_without_effect_are_warned_of(web: Flask) -> None:
    _, warnings = stored(web, "?is_separate_bgm=false&save_file=false&uvr_device=cpu")
    assert [warning.split(" has no effect: ")[0] for warning in warnings] == [
        "is_separate_bgm",
        "save_file",
        "uvr_device",
    ]


def test_parameters_of_whisper_webui_clients_are_accepted(web: Flask) -> None:
    query = "?is_separate_bgm=true&uvr_model_size=UVR-MDX-NET-Inst_HQ_4&uvr_device=cuda"
    query += "&segment_size=256&save_file=true&enable_offload=true"
    params, _ = stored(web, query)
    assert (params["segment_size"], params["enable_offload"]) == (256, True)
