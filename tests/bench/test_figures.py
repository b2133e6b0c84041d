"""A figure says whether it is within its target."""

from __future__ import annotations

import pytest

from bench.figures import Figure


@pytest.mark.parametrize(
    ("figure", "kept", "printed"),
    [
        (Figure("a", 3.0, "s"), True, "a 3 s - -"),
        (Figure("a", 2.0, "s", most=2.0), True, "a 2 s ≤ 2 s ok"),
        (Figure("a", 2.5, "s", most=2.0), False, "a 2.5 s ≤ 2 s MISSED"),
        (Figure("a", 0.95, least=0.95), True, "a 0.95 ≥ 0.95 ok"),
        (Figure("a", 0.9, least=0.95), False, "a 0.9 ≥ 0.95 MISSED"),
        (Figure("a", 5.0, "s", most=2.0, least=1.0), False, "a 5 s ≥ 1 ≤ 2 s MISSED"),
    ],
)
def test_figure_is_printed_with_its_target_and_the_verdict(figure: Figure, kept: bool, printed: str) -> None:
    assert figure.kept == kept
    assert str(figure).split() == printed.split()
