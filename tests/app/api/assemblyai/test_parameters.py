"""Options become native parameters, warnings or refusals; none is dropped silently."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask import Flask

from app.core.webhooks import ASSEMBLYAI, Receiver
from tests.app.api.assemblyai.speaking import URL, create, created, fetched, refused
from tests.app.conftest import MakeWeb
from tests.app.posting import assert_nothing_stored, rows


def stored(web: Flask, **options: Any) -> dict[str, Any]:
    created(web, **options)
    params: dict[str, Any] = json.loads(rows()[-1].params)
    return params


@pytest.mark.parametrize(
    ("options", "native"),
    [
        ({"language_code": "en_us"}, {"lang": "en"}),
        ({"language_code": "de"}, {"lang": "de"}),
        ({"language_codes": ["fr"]}, {"lang": "fr"}),
        ({"language_code": ""}, {"lang": None}),
        ({"language_code": "auto"}, {"lang": None}),
        ({"language_detection": True}, {"lang": None}),
        ({"speech_model": "mini"}, {"model_size": "mini"}),
        ({"speech_models": ["universal", "mini"]}, {"model_size": "mini"}),
        ({"prompt": "Names: Grün"}, {"initial_prompt": "Names: Grün"}),
        ({"keyterms_prompt": ["Grün", "Öz türk"], "word_boost": ["x", "Grün"]}, {"hotwords": "Grün, Öz türk, x"}),
        ({"temperature": 0.4}, {"temperature": 0.4}),
        ({"speaker_labels": True, "speakers_expected": 2}, {"is_diarize": True, "num_speakers": 2}),
        (
            {"speaker_labels": True, "speaker_options": {"min_speakers_expected": 2, "max_speakers_expected": 4}},
            {"is_diarize": True, "min_speakers": 2, "max_speakers": 4},
        ),
        ({}, {"word_timestamps": True, "is_diarize": False, "lang": None, "file_url": URL}),
        ({"redact_pii": False, "filter_profanity": False, "audio_start_from": 0, "multichannel": None}, {"lang": None}),
    ],
)
def test_option_becomes_a_native_parameter(web: Flask, options: dict[str, Any], native: dict[str, Any]) -> None:
    params = stored(web, **options)
    assert {name: params[name] for name in native} == native
    assert (rows()[-1].facade, rows()[-1].task_type) == ("assemblyai", "transcription")


@pytest.mark.parametrize(
    ("options", "named"),
    [
        *(
            ({name: True}, name)
            for name in (
                *("summarization", "auto_chapters", "entity_detection", "sentiment_analysis", "auto_highlights"),
                *("iab_categories", "content_safety", "disfluencies", "unheard_of"),
            )
        ),
        ({"punctuate": False}, "punctuate"),
        ({"format_text": False}, "format_text"),
        ({"speech_threshold": 0.5}, "speech_threshold"),
        ({"custom_spelling": [{"from": ["a"], "to": "b"}]}, "custom_spelling"),
        ({"speech_model": "best"}, "speech model best"),
        ({"language_codes": ["en", "de"]}, "language_codes"),
        ({"language_code": "de", "language_detection": True}, "language_code"),
        ({"speakers_expected": 2}, "speakers_expected"),
        ({"speaker_labels": True, "speaker_options": {"use_two_stage_clustering": True}}, "speaker_options.use_two"),
        ({"webhook_auth_header_name": "X"}, "webhook_auth_header_name"),
    ],
)
def test_option_without_effect_is_named_in_a_warning(web: Flask, options: dict[str, Any], named: str) -> None:
    identifier = created(web, **options)
    (warning,) = fetched(web, identifier)["metadata"]["warnings"]
    assert named in warning["message"] and "is_diarize" not in warning["message"]
    answer = web.test_client().get(f"/v2/transcript/{identifier}")
    assert answer.headers["X-Speech-Warnings"] == "1"


@pytest.mark.parametrize(
    "options",
    [
        *(
            {name: True}
            for name in ("redact_pii", "redact_pii_audio", "filter_profanity", "multichannel", "dual_channel")
        ),
        *({name: 1000} for name in ("audio_start_from", "audio_end_at")),
        {"redact_pii_policies": ["person_name"]},
    ],
)
def test_option_that_would_mislead_is_refused(web: Flask, options: dict[str, Any]) -> None:
    assert next(iter(options)) in refused(create(web, audio_url=URL, **options))
    assert_nothing_stored(web)


@pytest.mark.parametrize(
    "options",
    [
        *({"audio_url": value} for value in ("", " ", 7, [], {}, True, None, "ftp://a/", "http://", "x" * 9000)),
        *({"audio_url": value} for value in ("http://127.0.0.1/a.wav", "http://169.254.169.254/", "https://u:p@a.de/")),
        *({"language_code": value} for value in (7, [], "klingon", ["en"])),
        *({"language_codes": value} for value in ("en", [7], {"a": 1})),
        *({"speaker_labels": value} for value in ("true", 1, [], {})),
        *({"speakers_expected": value} for value in (0, -1, 1.5, "two", 10**30, True, [2])),
        *({"speaker_options": value} for value in ([1], "x", {"min_speakers_expected": 3, "max_speakers_expected": 2})),
        *({"temperature": value} for value in ("hot", -1, [0], {}, 1e300)),
        *({"prompt": value} for value in (7, ["a"], {}, "x" * 20_000)),
        *({"keyterms_prompt": value} for value in ("a", [7], {"a": 1}, ["x" * 20_000])),
        *({"speech_model": value} for value in (7, {"a": 1})),
        {"speech_models": [7]},
        *({"webhook_url": value} for value in (7, "hook", "ftp://a/", "http://127.0.0.1/")),
        {"webhook_url": URL, "webhook_auth_header_name": "X"},
        {"webhook_url": URL, "webhook_auth_header_value": "X"},
        *(
            {"webhook_url": URL, "webhook_auth_header_name": name, "webhook_auth_header_value": "v"}
            for name in ("Host", "Content-Length", "a b", "a:b", "webhook-id", "x" * 200, "ü")
        ),
        {"webhook_url": URL, "webhook_auth_header_name": "X", "webhook_auth_header_value": "a\r\nb: c"},
        {"webhook_url": URL, "webhook_auth_header_name": "X", "webhook_auth_header_value": "ü"},
    ],
)
def test_value_that_cannot_be_used_is_refused_by_name(web: Flask, options: dict[str, Any]) -> None:
    message = refused(create(web, **({"audio_url": URL} | options)))
    assert any(name in message for name in (*options, "min_speakers_expected"))
    assert_nothing_stored(web)


def test_receiver_is_stored_in_the_form_of_assemblyai(web: Flask) -> None:
    header = {"webhook_auth_header_name": "X-Secret", "webhook_auth_header_value": "s3cret"}
    identifier = created(web, webhook_url=URL, **header)
    assert Receiver.from_json(str(rows()[0].webhook)) == Receiver(URL, ASSEMBLYAI, "X-Secret", "s3cret")
    assert "s3cret" not in web.test_client().get(f"/v2/transcript/{identifier}").text
    assert "s3cret" not in web.test_client().get(f"/task/{identifier}").text


def test_receiver_is_refused_where_webhooks_are_off(make_web: MakeWeb) -> None:
    web = make_web(webhooks={"enabled": False})
    assert "webhook_url" in refused(create(web, audio_url=URL, webhook_url=URL))


def test_url_is_refused_where_downloads_are_off(make_web: MakeWeb) -> None:
    web = make_web(fetch={"enabled": False})
    assert "audio_url" in refused(create(web, audio_url=URL))
