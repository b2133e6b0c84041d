"""List the models: name, size on disk, source, place."""

from __future__ import annotations

import shutil
from pathlib import Path

from app.core.catalog.catalog import FOLDER, HUB, PYPI, SEPARATE, Model, diarization_model, find, list_models
from app.core.settings import Settings

HEADER = ("name", "on disk", "source", "place")
SOURCES = {HUB: "hub", PYPI: "PyPI", FOLDER: "folder"}


def format_table(settings: Settings) -> tuple[list[str], int]:
    """Return the table's lines and the exit status."""
    path = settings.models.path
    rows = [HEADER, *(_format_row(model, settings) for model in list_models(settings))]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1, 2)]
    table = [
        f"{name:<{widths[0]}}  {held:>{widths[1]}}  {source:<{widths[2]}}  {place}"
        for name, held, source, place in rows
    ]
    space = f", {format_size(shutil.disk_usage(path).free)} free" if path.is_dir() else ", not created yet"
    return [f"Models in {path}{space}. * marks the defaults.", "", *table], 0


def _format_row(model: Model, settings: Settings) -> tuple[str, str, str, str]:
    found = find(model, settings)
    defaults = (
        settings.whisper.model_size,
        f"{SEPARATE}:{settings.bgm_separation.model_size}",
        diarization_model(settings).name,
    )
    size, source = (format_size(disk_size(found.path)), SOURCES[found.source]) if found else ("-", "-")
    return f"{model.name}{' *' if model.name in defaults else ''}", size, source, model.place


def disk_size(place: Path) -> int:
    """Size in bytes of a file or folder.

    Symbolic links count as their targets.
    """
    files = [place] if place.is_file() else [file for file in place.rglob("*") if file.is_file()]
    return sum(file.stat().st_size for file in files)


def format_size(count: int) -> str:
    """Format a number of bytes as MB or GB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"
