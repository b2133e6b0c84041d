"""Write times that are kept as whole milliseconds."""

from __future__ import annotations


def format_short(milliseconds: int) -> str:
    """Write seconds with as many decimals as needed: ``0.31``, ``2``."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}".rstrip("0").removesuffix(".")


def format_long(milliseconds: int) -> str:
    """Write seconds with three decimals: ``0.310``."""
    return f"{milliseconds // 1000}.{milliseconds % 1000:03}"


def format_clock(milliseconds: int, hour_digits: int = 2) -> str:
    """Write hours, minutes and whole seconds, rounded down: ``00:01:02``."""
    seconds = milliseconds // 1000
    return f"{seconds // 3600:0{hour_digits}}:{seconds // 60 % 60:02}:{seconds % 60:02}"
