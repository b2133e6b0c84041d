"""Which models a client may name: what the operator configured and the folders under models/. Nothing else is ever loaded."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings

WEIGHTS_FILE = "model.bin"


def whisper_models(settings: Settings) -> dict[str, str]:
    """Name → place of every Whisper model allowed here; a place is a folder, a faster-whisper size or a hub repository."""
    configured = {settings.whisper.model_size: settings.whisper.model_size, **settings.whisper.models}
    named = {as_folder(place, settings) for place in configured.values()}
    folders = sorted(path.parent for path in settings.models.path.glob(f"*/{WEIGHTS_FILE}"))
    return {folder.name: str(folder) for folder in folders if folder not in named} | configured


def as_folder(place: str, settings: Settings) -> Path | None:
    """The folder a configured place means, relative to models/; None when it names something on a hub."""
    folder = Path(place) if Path(place).is_absolute() else settings.models.path / place
    return folder if folder.is_dir() else None
