"""A measured figure and its target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

MEGABYTE = 1_000_000


@dataclass(frozen=True)
class Figure:
    """A ``value`` in ``unit``.

    ``most`` is the largest value within the target, ``least`` the smallest one; None means no target.
    """

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def kept(self) -> bool:
        return (self.most is None or self.value <= self.most) and (self.least is None or self.value >= self.least)

    def __str__(self) -> str:
        limits = [
            f"{sign} {_format_number(limit)}"
            for sign, limit in (("≥", self.least), ("≤", self.most))
            if limit is not None
        ]
        target = f"{' '.join(limits)} {self.unit}".rstrip() if limits else "-"
        verdict = "-" if not limits else "ok" if self.kept else "MISSED"
        value = f"{_format_number(self.value)} {self.unit}".rstrip()
        return f"{self.name:<52} {value:>12} {target:>12}  {verdict}"


def _format_number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 or value == int(value) else f"{value:.3g}"


def percentile(values: Sequence[float], percent: float) -> float:
    """The ``percent``-th percentile of ``values``, by nearest rank."""
    return sorted(values)[max(0, math.ceil(len(values) * percent / 100) - 1)]
