"""One measured figure, its limit, and the line that tells both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Figure:
    """``value`` in ``unit``; ``most`` is the largest value that keeps the promise, None where nothing is promised."""

    name: str
    value: float
    unit: str = ""
    most: float | None = None

    @property
    def kept(self) -> bool:
        return self.most is None or self.value <= self.most

    def __str__(self) -> str:
        target = "-" if self.most is None else f"≤ {_number(self.most)} {self.unit}".rstrip()
        verdict = "-" if self.most is None else "ok" if self.kept else "MISSED"
        value = f"{_number(self.value)} {self.unit}".rstrip()
        return f"{self.name:<52} {value:>12} {target:>12}  {verdict}"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of ``values`` that ``percent`` of them do not exceed (nearest rank)."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
