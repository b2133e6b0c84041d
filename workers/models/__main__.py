"""python -m workers.models list | pull NAME … | check: for the person who runs the service, also without internet."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from app.core import settings
from app.core.catalog.catalog import Model, models
from app.core.errors import SettingsError, SpeechError
from app.core.settings import Settings
from workers.models import check, hub, listing

MEGABYTE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0, or 1 when something could not be had or a start could not serve."""
    parser = argparse.ArgumentParser(prog="python -m workers.models", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="list | pull | check")
    commands.add_parser("list", help="which models clients may name, where they come from, which are on disk")
    pull = commands.add_parser("pull", help="download models into the models folder, resuming what was cut off")
    pull.add_argument("names", nargs="+", metavar="NAME", help="as list shows it, such as large-v3 or align:de")
    commands.add_parser("check", help="what a start of the service on this machine would be able to do")
    asked = parser.parse_args(arguments)
    hub.prepare_environment()
    loaded = settings.load()
    if asked.command == "pull":
        return pull_all(named(asked.names, loaded), loaded)
    lines, status = listing.lines(loaded) if asked.command == "list" else check.report(loaded)
    print("\n".join(lines))
    return status


def named(names: Sequence[str], loaded: Settings) -> list[Model]:
    """The models of these names. Raises SettingsError for one that is not allowed here."""
    known = {model.name: model for model in models(loaded)}
    for name in names:
        if name not in known:
            raise SettingsError(
                f"{name!r} is not a model of this configuration; there are {', '.join(known)}. "
                "Others are allowed by naming them in config.yaml."
            )
    return [known[name] for name in dict.fromkeys(names)]


def pull_all(wanted: list[Model], loaded: Settings) -> int:
    failed = 0
    for model in wanted:
        try:
            place = hub.fetch(model, loaded)
        except SpeechError as error:
            failed = 1
            print(f"{model.name}: {error.message}", file=sys.stderr)
        else:
            print(f"{model.name}: complete in {place}, {listing.size(place) / MEGABYTE:.1f} MB")
    return failed


if __name__ == "__main__":
    try:
        sys.exit(main())
    except SettingsError as error:
        sys.exit(f"cannot go on: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
