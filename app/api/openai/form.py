"""Read a form whose fields have many spellings.

Clients write a list as ``x``, ``x[]``, ``x[0]`` or ``a,b``, and an object as ``x[key]`` or as JSON text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import Request

from app.api.query import parse_query

WRITTEN = re.compile(r"([^\[\]]+)\[(\w*)\]")
# What clients send for a field that was not filled in.
UNSET = frozenset(("", "null", "undefined", "none"))
PROTOCOL = ("api-version",)  # a parameter of Azure's addresses
MOST_NAMED = 20
LONGEST_NAME = 40


class Fields:
    """The fields of a request; those that are never taken have no effect."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._lists: dict[str, list[str]] = {}
        self._members: dict[str, dict[str, str]] = {}
        self._taken: set[str] = set(PROTOCOL)
        self.warnings: list[str] = []
        for written, value in pairs:
            match = WRITTEN.fullmatch(written)
            name, key = (match[1], match[2]) if match else (written, "")
            if key and not key.isdigit():
                self._members.setdefault(name, {}).setdefault(key, value)
            else:
                self._lists.setdefault(name, []).append(value)

    def take(self, name: str, *unset: str) -> str | None:
        """Return the value of a field, or None if it was not filled in; ``unset``: further words that mean that."""
        given = [value for value in self.take_list(name) if value.strip().lower() not in UNSET.union(unset)]
        if len(set(given)) > 1:
            self.warnings.append(f"{name} was given more than once; the first value was used.")
        return given[0] if given else None

    def take_list(self, name: str, divided: bool = False) -> list[str]:
        """Return the non-empty values of a field; if ``divided``, also those between commas."""
        self._taken.add(name)
        values = self._lists.get(name, [])
        if divided:
            values = [part.strip() for value in values for part in value.strip("[]").replace('"', "").split(",")]
        return [value for value in values if value.strip()]

    def take_members(self, name: str) -> dict[str, str]:
        """Return the members of an object that were sent as fields of their own."""
        self._taken.add(name)
        return self._members.get(name, {})

    def describe_rest(self) -> list[str]:
        """Warn of the fields that were not taken."""
        rest = sorted({*self._lists, *self._members} - self._taken)
        if not rest:
            return []
        more = f" and {len(rest) - MOST_NAMED} more" if len(rest) > MOST_NAMED else ""
        return [f"Unknown fields have no effect: {', '.join(map(_show, rest[:MOST_NAMED]))}{more}."]


def read_fields(request: Request) -> Fields:
    """Read the form, and the query after it."""
    places: tuple[Any, ...] = (request.form, parse_query(request))
    return Fields((name or "", value) for place in places for name, value in place.items(multi=True))


def _show(name: str) -> str:
    if name and name.isprintable() and len(name) <= LONGEST_NAME:
        return name
    return ascii(name[:LONGEST_NAME])
