"""EAF: pympi and speach read the same tiers, and ELAN's rules hold."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pympi
import pytest
from hypothesis import given, settings
from lxml import etree
from speach import elan

from app.formats.source import Source
from app.formats.text import drop_noncharacters
from app.formats.tiers import gather_tiers
from tests.app.formats.transcripts import INTERVIEW, choose, segment, simple, sources, write

Tiers = dict[str, list[tuple[int, int, str]]]


def expected(source: Source) -> Tiers:
    found, tiers = gather_tiers(source, words=True), {}
    for tier, name in zip(found.tiers, found.name_word_tiers(), strict=True):
        words = [word for each in tier.utterances for word in each.words]
        for each, rows in ((tier.name, tier.utterances), (name, words)):
            tiers[each] = [(start, end, drop_noncharacters(text)) for start, end, text, _ in rows]
    return tiers


def parse(text: str) -> Any:
    return etree.fromstring(text.encode())


def read_with_pympi(path: Path) -> Tiers:
    document = pympi.Eaf(str(path))
    return {
        name: sorted((each[0], each[1], each[2] or "") for each in document.get_annotation_data_for_tier(name))
        for name in document.get_tier_names()
    }


def read_with_speach(path: Path) -> Tiers:
    return {
        tier.ID: [(each.from_ts.value, each.to_ts.value, each.value or "") for each in tier.annotations]
        for tier in elan.read_eaf(str(path))
    }


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("eaf") / "a.eaf"


@settings(max_examples=40, deadline=None)
@given(source=sources())
def test_eaf_is_read_back_for_any_text(path: Path, source: Source) -> None:
    path.write_text(write("eaf", source), encoding="utf-8")
    tiers = expected(source)
    assert read_with_pympi(path) == tiers
    assert read_with_speach(path) == tiers


@settings(max_examples=40, deadline=None)
@given(source=sources())
def test_eaf_keeps_the_rules_of_elan(source: Source) -> None:
    root = parse(write("eaf", source))
    slots = {each.get("TIME_SLOT_ID"): int(each.get("TIME_VALUE")) for each in root.iter("TIME_SLOT")}
    assert list(slots.values()) == sorted(slots.values())
    made = list(root.iter("ALIGNABLE_ANNOTATION"))
    numbers = [int(each.get("ANNOTATION_ID")[1:]) for each in made]
    assert numbers == list(range(1, len(made) + 1))
    assert root.findtext("HEADER/PROPERTY[@NAME='lastUsedAnnotationId']") == str(len(made))
    used = [each.get(f"TIME_SLOT_REF{side}") for each in made for side in (1, 2)]
    assert sorted(used) == sorted(slots), "each boundary has a slot of its own"
    types = {each.get("LINGUISTIC_TYPE_ID"): each.get("CONSTRAINTS") for each in root.iter("LINGUISTIC_TYPE")}
    assert set(filter(None, types.values())) <= {each.get("STEREOTYPE") for each in root.iter("CONSTRAINT")}
    spans = {}
    for tier in root.iter("TIER"):
        spans[tier.get("TIER_ID")] = inside = [
            (slots[each.get("TIME_SLOT_REF1")], slots[each.get("TIME_SLOT_REF2")])
            for each in tier.iter("ALIGNABLE_ANNOTATION")
        ]
        assert all(start < end for start, end in inside)
        assert all(before[1] <= after[0] for before, after in zip(inside, inside[1:], strict=False))
        assert tier.get("LINGUISTIC_TYPE_REF") in types
        if tier.get("PARENT_REF"):
            around = spans[tier.get("PARENT_REF")]
            assert all(any(first <= start and end <= last for first, last in around) for start, end in inside)
    assert len(spans) == len(list(root.iter("TIER"))) > 0


def test_eaf_is_as_elan_writes_it() -> None:
    text = write("eaf", simple(*INTERVIEW, names={"SPEAKER_00": "R&D's"}, ended_at=1795795200.0))
    root = parse(text)
    parts = [each.tag for each in root]
    assert parts == ["HEADER", "TIME_ORDER", *["TIER"] * 4, *["LINGUISTIC_TYPE"] * 2, "CONSTRAINT"]
    assert {name: root.get(name) for name in ("AUTHOR", "DATE", "FORMAT", "VERSION")} == {
        "AUTHOR": "",
        "DATE": "2026-11-27T16:00:00+00:00",
        "FORMAT": "3.0",
        "VERSION": "3.0",
    }
    assert '<TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="310"/>' in text
    shown = [(each.get("TIER_ID"), each.get("PARENT_REF"), each.get("PARTICIPANT")) for each in root.iter("TIER")]
    assert shown == [
        ("R&D's", None, "R&D's"),
        ("R&D's - words", "R&D's", "R&D's"),
        ("SPEAKER_01", None, "SPEAKER_01"),
        ("SPEAKER_01 - words", "SPEAKER_01", "SPEAKER_01"),
    ]


@pytest.mark.parametrize(
    ("label", "url", "kind"),
    [
        ("interview 1.mp3", "interview%201.mp3", "audio/mpeg"),
        ('../ä"&<.wav', "%C3%A4__%26_.wav".replace("__%26_", "_%26_"), "audio/x-wav"),
        ("talk.strange", "talk.strange", "unknown"),
    ],
)
def test_recording_is_named_as_a_url_beside_the_file(label: str, url: str, kind: str) -> None:
    source = Source("[]", label, "0", 1.0)
    (named,) = parse(write("eaf", source)).iter("MEDIA_DESCRIPTOR")
    assert dict(named.attrib) == {"MEDIA_URL": url, "MIME_TYPE": kind, "RELATIVE_MEDIA_URL": f"./{url}"}
    assert not list(parse(write("eaf", Source("[]", "", "0", 1.0))).iter("MEDIA_DESCRIPTOR"))


def test_eaf_may_be_without_words() -> None:
    text = write("eaf", choose(simple(*INTERVIEW), words=False))
    assert [each.get("TIER_ID") for each in parse(text).iter("TIER")] == ["SPEAKER_00", "SPEAKER_01"]


def test_eaf_of_silence_and_of_vad_is_read_back(path: Path) -> None:
    path.write_text(write("eaf", simple()), encoding="utf-8")
    assert read_with_pympi(path) == {"speech": [], "speech - words": []}
    path.write_text(write("eaf", simple({"start": 0.5, "end": 2}, length=3), "vad"), encoding="utf-8")
    assert read_with_pympi(path) == {"speech": [(500, 2000, "speech")]}


def test_text_is_escaped_once() -> None:
    text = write("eaf", choose(simple(segment('a <b> & ]]> "c"', 0, 1)), words=False))
    assert re.findall("<ANNOTATION_VALUE>(.*)</ANNOTATION_VALUE>", text) == ['a &lt;b&gt; &amp; ]]&gt; "c"']
