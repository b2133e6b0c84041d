"""Create, list and revoke API keys: python -m app.keys create|list|revoke."""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Iterator
from datetime import datetime, timezone

from peewee import DatabaseError

from app.core import settings
from app.core.db import api_keys, connection
from app.core.db.api_keys import ApiKey, Rights
from app.core.errors import SettingsError

LARGEST_NUMBER = 10**6
HEADER = ("NAME", "STATE", "CREATED", "LIMITS")


def main(arguments: list[str] | None = None) -> str | None:
    """Run one command; return an error message, or None."""
    asked = _make_parser().parse_args(arguments)
    try:
        opened = connection.connect(settings.load().db_url)
    except SettingsError as error:
        return str(error)
    except DatabaseError as error:
        return f"the database is not available: {error}"
    try:
        refusal: str | None = asked.run(asked)
    finally:
        opened.close()
    return refusal


def create(asked: argparse.Namespace) -> str | None:
    """Print a new key on standard output, and what it means on standard error."""
    rights = Rights(asked.admin, asked.max_queued, asked.max_audio_hours_per_day, asked.requests_per_minute)
    is_first = not api_keys.are_needed()
    try:
        key = api_keys.create(asked.name, rights)
    except ValueError as error:
        return str(error)
    print("Store this key now; it cannot be shown again.", file=sys.stderr)
    if is_first:
        say = "From now on, requests need a key. Only admin keys see the tasks that were made before."
        print(say, file=sys.stderr)
    print(key)
    return None


def list_keys(asked: argparse.Namespace) -> str | None:
    """Print a table of all keys."""
    rows = [HEADER, *_make_rows()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
    return None


def revoke(asked: argparse.Namespace) -> str | None:
    """Revoke a key."""
    if not api_keys.revoke(asked.name):
        return f"There is no valid key named {asked.name!r:.80}; see: python -m app.keys list"
    print(f"Key {asked.name} is revoked.")
    return None


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m app.keys", description="Manage the API keys of the service.")
    commands = parser.add_subparsers(required=True, metavar="create|list|revoke")
    creating = commands.add_parser("create", help="create a key and print it once")
    creating.add_argument("name", metavar="NAME", help="letters, digits and ._@-")
    creating.add_argument("--admin", action="store_true", help="may see the tasks of all keys, and /metrics")
    creating.add_argument("--max-queued", type=_parse_count, metavar="N", help="waiting tasks")
    creating.add_argument(
        "--max-audio-hours-per-day", type=_parse_hours, metavar="H", help="hours of audio in 24 hours"
    )
    creating.add_argument("--requests-per-minute", type=_parse_count, metavar="R", help="requests of any kind")
    creating.set_defaults(run=create)
    commands.add_parser("list", help="list all keys").set_defaults(run=list_keys)
    revoking = commands.add_parser("revoke", help="revoke a key at once")
    revoking.add_argument("name", metavar="NAME")
    revoking.set_defaults(run=revoke)
    return parser


def _parse_count(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if not 1 <= number <= LARGEST_NUMBER:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {LARGEST_NUMBER}")
    return number


def _parse_hours(text: str) -> float:
    try:
        hours = float(text)
    except ValueError:
        hours = math.nan
    if not 0 < hours <= LARGEST_NUMBER:
        raise argparse.ArgumentTypeError(f"must be a number above 0, up to {LARGEST_NUMBER}")
    return hours


def _make_rows() -> Iterator[tuple[str, ...]]:
    for key in api_keys.list_all():
        state = f"revoked {_format_day(key.revoked_at)}" if key.revoked_at else "admin" if key.is_admin else "valid"
        yield key.name, state, _format_day(key.created_at), ", ".join(_describe_limits(key)) or "none"


def _describe_limits(key: ApiKey) -> Iterator[str]:
    if key.max_queued is not None:
        yield f"{key.max_queued} queued"
    if key.max_audio_hours_per_day is not None:
        yield f"{key.max_audio_hours_per_day:g} h of audio a day"
    if key.requests_per_minute is not None:
        yield f"{key.requests_per_minute} requests a minute"


def _format_day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d")


if __name__ == "__main__":
    sys.exit(main())
