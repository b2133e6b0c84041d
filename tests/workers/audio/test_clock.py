"""Sound goes where its timestamps say, unless they are wrong."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import pytest

from workers.audio.clock import CONFIRMED_AFTER, LONGEST_GAP, Clock, Piece

PACKET = 0.02


def packets(*stretches: tuple[float, float]) -> list[Piece]:
    """Make pieces of ``PACKET`` seconds for each (first timestamp, length)."""
    return [
        Piece(start + number * PACKET, PACKET, None)
        for start, length in stretches
        for number in range(round(length / PACKET))
    ]


def placed(clock: Clock, pieces: Iterable[Piece]) -> list[float]:
    """Where each piece that is not a gap begins."""
    return [clock.position - piece.seconds for piece in clock.place(pieces) if not piece.gap]


def gaps(pieces: Iterable[Piece]) -> list[float]:
    return [piece.seconds for piece in Clock().place(pieces) if piece.gap]


def test_sound_that_starts_late_is_preceded_by_silence() -> None:
    assert placed(Clock(), packets((4.0, 1.0)))[0] == pytest.approx(4.0)


def test_timestamps_count_from_the_start_of_the_part() -> None:
    clock = Clock()
    clock.start_part(1.4)
    assert placed(clock, packets((5.4, 1.0)))[0] == pytest.approx(4.0)


def test_gaps_are_filled_and_all_after_them_is_in_its_place() -> None:
    starts = placed(Clock(), packets((0.0, 2.0), (12.0, 2.0), (15.0, 2.0)))
    assert [starts[n] for n in (99, 100, 199, 200)] == pytest.approx([1.98, 12.0, 13.98, 15.0])


def test_silent_packets_that_were_not_sent_are_filled_one_by_one() -> None:
    sparse = [Piece(number * 0.4, PACKET, None) for number in range(50)]
    starts = placed(Clock(), [*sparse, *packets((20.0, 1.0))])
    assert starts[50] == pytest.approx(20.0)
    assert starts[10] == pytest.approx(4.0, abs=0.4)


@pytest.mark.parametrize("jitter", [0.001, 0.05, 0.09])
def test_jitter_neither_adds_nor_removes_anything(jitter: float) -> None:
    shaken = [
        Piece((piece.at or 0.0) + jitter * sign, PACKET, None)
        for piece, sign in zip(packets((0.0, 20.0)), itertools.cycle([1, -1, 0]))
    ]
    clock = Clock()
    assert list(clock.place(shaken)) == shaken
    assert clock.position == pytest.approx(20.0)


def test_single_wrong_timestamps_are_ignored() -> None:
    pieces = packets((0.0, 10.0))
    for number, wrong in ((50, 300.0), (51, -5.0), (200, 1e9), (300, 4.5), (499, 60.0)):
        pieces[number] = Piece(wrong, PACKET, None)
    clock = Clock()
    assert list(clock.place(pieces)) == pieces
    assert clock.jumps == []


def test_packets_that_arrive_late_and_catch_up_leave_no_gap() -> None:
    stalled = [Piece(2.0 + number * 0.001, PACKET, None) for number in range(100)]  # stamped when they arrived
    assert gaps([*packets((0.0, 1.0)), *stalled, *packets((3.0, 2.0))]) == []


def test_clock_that_starts_again_goes_on_without_a_gap() -> None:
    clock = Clock()
    starts = placed(clock, packets((100.0, 5.0), (0.0, 5.0), (15.0, 5.0)))
    assert starts[250] - starts[249] == pytest.approx(PACKET)
    assert starts[500] - starts[499] == pytest.approx(10.0 + PACKET)  # later gaps count again


def test_clock_that_jumps_back_and_returns_leaves_no_gap() -> None:
    assert gaps(
        packets((0.0, 5.0), (2000.0, 1.0), (6.0, 1.0), (2002.0, 1.0), (8.0, 1.0), (2004.0, 1.0))
    ) == pytest.approx([1995.0])


@pytest.mark.parametrize("hours", [1.1, 10, 26.5, 1e6])
def test_jumps_of_hours_are_left_out_and_reported(hours: float) -> None:
    clock = Clock()
    starts = placed(clock, packets((0.0, 5.0), (5.0 + hours * 3600, 5.0)))
    assert starts[-1] == pytest.approx(10.0 - PACKET)
    ((position, seconds),) = clock.jumps
    assert position == pytest.approx(5.0) and seconds == pytest.approx(hours * 3600)


def test_longest_gap_is_kept() -> None:
    assert gaps(packets((0.0, 1.0), (1.0 + LONGEST_GAP - 1, 1.0))) == pytest.approx([LONGEST_GAP - 1])


def test_overlap_is_kept_and_made_good_by_the_next_gap() -> None:
    starts = placed(Clock(), packets((0.0, 5.0), (4.5, 5.0), (20.0, 1.0)))
    assert starts[250] == pytest.approx(5.0)
    assert starts[500] == pytest.approx(20.0)


def test_packets_without_timestamps_follow_each_other() -> None:
    pieces = [Piece(None, PACKET, None) for _ in range(100)]
    assert placed(Clock(), pieces)[-1] == pytest.approx(99 * PACKET)
    mixed = [piece if number % 3 else Piece(None, PACKET, None) for number, piece in enumerate(packets((3.0, 1.0)))]
    assert placed(Clock(), mixed)[-1] == pytest.approx(4.0 - PACKET, abs=PACKET)


def test_no_piece_is_lost_at_the_end() -> None:
    short = packets((0.0, 1.0), (50.0, CONFIRMED_AFTER / 2))
    assert len(placed(Clock(), short)) == len(short)
