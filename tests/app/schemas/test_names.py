"""Unknown parameters are answered with the one that is meant."""

from __future__ import annotations

import pytest
from flask import Flask

from tests.app.posting import post, refused

MEANT = {
    "language": "lang",
    "Language": "lang",
    "language_code": "lang",
    "beamSize": "beam_size",
    "beam-size": "beam_size",
    "beam_size[]": "beam_size",
    "Beam_size": "beam_size",
    "initialPrompt": "initial_prompt",
    "translate": "is_translate",
    "diarize": "is_diarize",
    "diarization": "is_diarize",
    "vad": "vad_filter",
    "model": "model_size",
    "temperature_increment_on_fallback": "temperature",
    "logprob_threshold": "log_prob_threshold",
    "speakers": "num_speakers",
    "keywords": "hotwords",
    "bgm": "is_separate_bgm",
    "url": "file_url",
    "audio_url": "file_url",
    "audio": "file",
}


@pytest.mark.parametrize("place", ["query", "form"])
@pytest.mark.parametrize("name", MEANT)
def test_unknown_parameter_is_answered_with_the_one_that_is_meant(web: Flask, name: str, place: str) -> None:
    answer = post(web, f"?{name}=1") if place == "query" else post(web, **{name: "1"})
    (say,) = refused(answer, 422, name)["errors"][name]
    assert say.startswith(f"Unknown parameter. Do you mean {MEANT[name]}") and len(say) < 150


@pytest.mark.parametrize("name", ["nonsense", "x", "__class__", "callback", "a" * 5000])
def test_parameter_without_a_near_one_is_answered_with_the_documentation(web: Flask, name: str) -> None:
    assert "/docs" in refused(post(web, **{name: ""}), 422, name)["errors"][name][0]


@pytest.mark.parametrize("name", ["response_format", "output", "format"])
def test_format_of_a_result_is_answered_with_its_place(web: Flask, name: str) -> None:
    assert "/result" in refused(post(web, f"?{name}=srt"), 422, name)["errors"][name][0]


def test_parameters_of_other_endpoints_are_not_suggested(web: Flask) -> None:
    assert "beam_size" not in refused(post(web, "?beamsize=1", path="/vad"), 422, "beamsize")["errors"]["beamsize"][0]
