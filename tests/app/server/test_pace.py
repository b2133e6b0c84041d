"""The rate of a body is measured over the time spent waiting for it."""

from __future__ import annotations

import pytest
from werkzeug.exceptions import RequestTimeout

from app.server.pace import KB, Pace


class Wire:
    """A fake clock and socket: each piece has the seconds that its read takes, and its size."""

    def __init__(self, *pieces: tuple[float, int | None]) -> None:
        self.pieces = list(pieces)
        self.now = 1000.0
        self.timeout: float | None = None

    def clock(self) -> float:
        return self.now

    def settimeout(self, value: float | None) -> None:
        self.timeout = value

    def read(self) -> bytes:
        assert self.timeout is not None
        seconds, size = self.pieces[0]
        if size is None or seconds > self.timeout:
            self.now += self.timeout
            self.pieces[0] = (seconds - self.timeout, size)
            raise TimeoutError
        self.now += seconds
        self.pieces.pop(0)
        return b"x" * size


def receive_all(wire: Wire, least_kb: float = 1.0) -> int:
    pace = Pace(least_kb, window=30.0, clock=wire.clock)
    return sum(len(pace.receive(wire, wire.read)) for _ in range(len(wire.pieces)))


def test_silent_sender_is_refused_at_the_end_of_the_window() -> None:
    wire = Wire((1.0, 5 * KB), (1e9, None))
    with pytest.raises(RequestTimeout) as refused:
        receive_all(wire)
    assert wire.now == 1030.0
    assert "less than 1 kB/s for 30 s" in str(refused.value)


def test_steady_trickle_below_the_rate_is_refused() -> None:
    with pytest.raises(RequestTimeout):
        receive_all(Wire(*[(1.0, KB - 1)] * 31))


def test_sender_at_the_minimum_rate_is_never_refused() -> None:
    assert receive_all(Wire(*[(1.0, KB)] * 200)) == 200 * KB


def test_pause_is_allowed_if_the_window_average_is_high_enough() -> None:
    assert receive_all(Wire((1.0, 30 * KB), (28.0, 1), (5.0, 40 * KB))) == 70 * KB + 1


def test_fast_start_does_not_excuse_a_later_stall() -> None:
    wire = Wire((30.0, 10_000 * KB), (1e9, None))
    with pytest.raises(RequestTimeout):
        receive_all(wire)
    assert wire.now == 1060.0


def test_time_between_reads_does_not_count() -> None:
    wire = Wire((1.0, 1), (1.0, 1), (1.0, 1))
    pace = Pace(1.0, window=30.0, clock=wire.clock)
    for _ in range(3):
        assert pace.receive(wire, wire.read) == b"x"
        wire.now += 1000.0


def test_socket_blocks_again_afterwards() -> None:
    wire = Wire((1.0, 1))
    receive_all(wire)
    assert wire.timeout is None
