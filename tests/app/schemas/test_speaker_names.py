"""Names are such that no result format needs a rule of its own."""

from __future__ import annotations

import re

import pytest

from app.schemas.speaker_names import SpeakerNames, is_name


@pytest.mark.parametrize(
    "name", ["M", "Maria", "Öztürk", "李", "محمد", "7", "O'Neill (2)", "R&D, left; right", "x" * 80, "می\u200cخواهم"]
)
def test_names_of_all_scripts_are_accepted(name: str) -> None:
    assert SpeakerNames().load({"speaker_names": {"A": name}}) == {"speaker_names": {"A": name}}


@pytest.mark.parametrize(
    "name",
    [
        *("", " Maria", "Maria ", "=1+1", "+49", "@x", "-", "_x", "a<b", "a>b", 'a"b', "a{b", "a}b", "a:b", "a\\b"),
        *("a\tb", "a\nb", "a\rb", "a\0b", "a\u2028b", "a\u202eb", "a\ufffeb", "a\ufeff", "a\x85b", "x" * 81, "a\ud800"),
    ],
    ids=ascii,
)
def test_names_that_a_format_could_misread_are_refused(name: str) -> None:
    assert not is_name(name)
    assert list(SpeakerNames().validate({"speaker_names": {"A": name}})) == ["speaker_names"]


@pytest.mark.parametrize(
    "body", [{}, {"speaker_names": []}, {"speaker_names": {"A": 1}}, {"speaker_names": {}, "x": 1}]
)
def test_other_bodies_are_refused(body: object) -> None:
    assert SpeakerNames().validate(body)  # type: ignore[arg-type]


def test_two_spellings_of_a_name_are_one() -> None:
    loaded = SpeakerNames().load({"speaker_names": {"A": "O\u0308ztu\u0308rk", "B": None}})
    assert loaded == {"speaker_names": {"A": "Öztürk", "B": None}}


def test_pattern_is_the_same_in_the_document() -> None:
    field = SpeakerNames().fields["speaker_names"]
    pattern = field.metadata["additionalProperties"]["pattern"]
    assert re.search(pattern, "Öztürk") and not [
        name for name in ("a\nb", "a\n", " a", "a:") if re.search(pattern, name)
    ]
