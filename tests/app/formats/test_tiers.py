"""Tiers have no overlaps, lie inside the recording, and keep every word."""

from __future__ import annotations

from hypothesis import given, settings

from app.formats.source import Source
from app.formats.tiers import Interval, fill_gaps, gather_speech, gather_tiers, lay_out
from tests.app.formats.transcripts import letters, segment, simple, sources, spoken


def intervals(*spans: tuple[int, int, str]) -> list[Interval]:
    return [Interval(*span) for span in spans]


@settings(max_examples=150, deadline=None)
@given(sources())
def test_tiers_keep_every_word_without_overlaps(source: Source) -> None:
    found = gather_tiers(source, words=True)
    names = [tier.name for tier in found.tiers]
    assert len(set(names + found.name_word_tiers())) == 2 * len(names) > 0
    said, heard = [], []
    for tier in found.tiers:
        position = 0
        for each in tier.utterances:
            assert position <= each.start < each.end <= found.length
            position = begun = each.start
            for word in each.words:
                assert begun <= word.start < word.end <= each.end
                begun = word.end
                heard.append(word.text)
            position = each.end
            said.append(each.text)
    assert sorted(letters("".join(said))) == sorted(letters("".join(heard))) == spoken(source)
    starts = [tier.utterances[0].start for tier in found.tiers if tier.utterances]
    assert starts == sorted(starts)


@settings(max_examples=50, deadline=None)
@given(sources())
def test_gaps_fill_a_tier_from_start_to_end(source: Source) -> None:
    found = gather_tiers(source, words=False)
    for tier in found.tiers:
        position = 0
        for start, end, _ in fill_gaps(tier.utterances, found.length):
            assert start == position < end
            position = end
        assert position == found.length


def test_interval_ends_where_the_next_begins() -> None:
    laid = lay_out(intervals((500, 900, "b"), (0, 700, "a"), (900, 5000, "c")), 0, 1000)
    assert [each[:3] for each in laid] == [(0, 500, "a"), (500, 900, "b"), (900, 1000, "c")]


def test_intervals_that_begin_together_become_one() -> None:
    laid = lay_out(intervals((0, 0, "a"), (0, 300, "b"), (700, 100, "c"), (5000, 5000, "字"), (6000, 1, "典")), 0, 1000)
    assert [each[:3] for each in laid] == [(0, 300, "a b"), (700, 701, "c"), (999, 1000, "字典")]


def test_labels_with_one_name_are_one_tier() -> None:
    talk = [segment(text, n, n + 1, f"SPEAKER_0{n}") for n, text in enumerate(("one", "two", "three"))]
    found = gather_tiers(simple(*talk, names={"SPEAKER_00": "Maria", "SPEAKER_02": "Maria"}), words=False)
    assert [(tier.name, [each.text for each in tier.utterances]) for tier in found.tiers] == [
        ("Maria", ["one", "three"]),
        ("SPEAKER_01", ["two"]),
    ]


def test_words_of_one_name_within_a_segment_are_one_utterance() -> None:
    mixed = segment("one two three", 0, 3, "SPEAKER_00", 1.0)
    mixed["words"][1]["speaker"] = "SPEAKER_01"
    parts = [each.text for tier in gather_tiers(simple(mixed), False).tiers for each in tier.utterances]
    assert parts == ["one", "three", "two"]
    merged = gather_tiers(simple(mixed, names={"SPEAKER_00": "Eve", "SPEAKER_01": "Eve"}), words=False)
    assert [each.text for each in merged.tiers[0].utterances] == ["one two three"]


def test_chinese_is_divided_into_its_words() -> None:
    spoken_words = segment("謝 謝 大 家", 0, 2, None, 0.5)
    spoken_words["text"] = "謝謝大家"
    (tier,) = gather_tiers(simple(spoken_words), words=True).tiers
    assert [(word.start, word.text) for word in tier.utterances[0].words] == [
        (0, "謝"),
        (500, "謝"),
        (1000, "大"),
        (1500, "家"),
    ]


def test_word_without_a_time_lies_between_its_neighbours() -> None:
    said = segment("one two three", 0, 3, None, 1.0)
    del said["words"][1]["start"], said["words"][1]["end"]
    (tier,) = gather_tiers(simple(said), words=True).tiers
    first, second, third = tier.utterances[0].words
    assert (first.end, third.start) == (1000, 2000) and 1000 <= second.start < second.end <= 2000


def test_speech_of_vad_is_one_tier() -> None:
    found = gather_speech(simple({"start": 0.25, "end": 1.5}, {"start": 2, "end": 3}, length=2.5))
    assert [(tier.name, [each[:3] for each in tier.utterances]) for tier in found.tiers] == [
        ("speech", [(250, 1500, "speech"), (2000, 2500, "speech")])
    ]
    assert found.length == 2500


def test_silence_has_one_empty_tier() -> None:
    found = gather_tiers(simple(), words=True)
    assert [(tier.name, tier.utterances) for tier in found.tiers] == [("speech", [])]
