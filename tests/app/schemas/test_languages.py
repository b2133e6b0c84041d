"""Languages as clients write them: codes, tags, names, and what is said about unknown ones."""

from __future__ import annotations

import json

import pytest
from flask import Flask

from app.schemas.languages import LANGUAGES, NAMES, find_code, suggest
from tests.app.posting import post, refused, rows, submitted

CODES = {
    "EN": "en",
    "De": "de",
    "ENGLISH": "en",
    "German": "de",
    "en-US": "en",
    "en_us": "en",
    "de_DE": "de",
    "de-AT": "de",
    "de_DE.UTF-8": "de",
    "ca_ES@valencia": "ca",
    "deu-DEU": "de",
    "pt-BR": "pt",
    "es-419": "es",
    "sr-Latn-RS": "sr",
    "zh-Hant-TW": "zh",
    "zh_Hans_CN": "zh",
    "cmn-Hans-CN": "zh",
    "yue-HK": "yue",
    "zh-yue": "yue",
    "eng": "en",
    "deu": "de",
    "ger": "de",
    "fra": "fr",
    "fre": "fr",
    "zho": "zh",
    "chi": "zh",
    "dut": "nl",
    "cze": "cs",
    "gre": "el",
    "rum": "ro",
    "slo": "sk",
    "wel": "cy",
    "per": "fa",
    "ice": "is",
    "alb": "sq",
    "arm": "hy",
    "baq": "eu",
    "bur": "my",
    "geo": "ka",
    "mac": "mk",
    "mao": "mi",
    "may": "ms",
    "tib": "bo",
    "nor": "no",
    "nb": "no",
    "nb-NO": "no",
    "nno": "nn",
    "jv": "jw",
    "jav": "jw",
    "fil": "tl",
    "tgl": "tl",
    "iw": "he",
    "in": "id",
    "ji": "yi",
    "npi": "ne",
    "swh": "sw",
    "burmese": "my",
    "castilian": "es",
    "mandarin": "zh",
    "Portuguese (Brazil)": "pt",
    "Chinese (Simplified)": "zh",
    "Deutsch": "de",
    "FRANÇAIS": "fr",
    "日本語": "ja",
}


@pytest.mark.parametrize("written", CODES, ids=ascii)
def test_language_is_read_as_clients_write_it(written: str) -> None:
    assert find_code(written) == CODES[written]


def test_every_code_name_and_region_of_whisper_is_read() -> None:
    for code, name in NAMES.items():
        for written in (code, code.upper(), name, name.title(), f"{code}-US", f" {code}_us\r\n", f"{name} (x)"):
            assert find_code(written) == code, written


def test_all_terminology_and_bibliographic_codes_are_read() -> None:
    from transformers.models.whisper.tokenization_whisper import TO_LANGUAGE_CODE

    for name, code in TO_LANGUAGE_CODE.items():
        assert find_code(name) == code, name
    import langcodes

    for code in set(LANGUAGES) - {"jw"}:  # Whisper's own, from before 1988
        for variant in ("T", "B"):
            assert find_code(langcodes.Language.get(code).to_alpha3(variant=variant)) == code, (code, variant)


@pytest.mark.parametrize("place", ["query", "form"])
def test_task_has_the_code_and_not_what_was_written(web: Flask, place: str) -> None:
    submitted(web, "?lang=ger") if place == "query" else submitted(web, lang="de_AT")
    assert json.loads(rows()[0].params)["lang"] == "de"


@pytest.mark.parametrize(
    "written",
    [
        "auto",
        "AUTO",
        "Automatic Detection",
        "auto-detect",
        "detect",
        "None",
        "null",
        "undefined",
        "und",
        "mul",
        " ",
        "",
    ],
)
def test_detection_may_be_asked_for_in_words(web: Flask, written: str) -> None:
    submitted(web, lang=written)
    assert json.loads(rows()[0].params)["lang"] is None


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(("jp", "ja"), ("cn", "zh"), ("kr", "ko"), ("cz", "cs"), ("dk", "da"), ("gr", "el"), ("se", "sv")),
        *(("ua", "uk"), ("englisch", "en"), ("germn", "de"), ("gsw", "de"), ("arz", "ar"), ("en,de", "en")),
        *(("<|en|>", "en"), ("en-US,en;q=0.9", "en")),
    ],
)
def test_unknown_language_is_refused_with_a_near_one(web: Flask, written: str, meant: str) -> None:
    body = refused(post(web, lang=written), 422, "lang")
    (say,) = body["errors"]["lang"]
    assert f" {meant} ({NAMES[meant]})" in say and len(say) < 250
    assert suggest(written)[0] == meant


@pytest.mark.parametrize(
    "written", ["xx", "zz", "0", "e\0n", "\ud800", "-", "en-", "x" * 100_000, "a-b-c", "i-klingon"]
)
def test_strange_language_is_refused_without_a_guess(web: Flask, written: str) -> None:
    assert find_code(written) is None
    (say,) = refused(post(web, lang=written.encode("utf-8", "replace").decode()), 422, "lang")["errors"]["lang"]
    assert say.startswith("Unknown language.") and len(say) < 250
