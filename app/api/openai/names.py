"""Model names of OpenAI and of its other servers, and the models of this one behind them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.core.catalog import hub_names
from app.core.catalog.catalog import WHISPER, Model, find_on_disk, whisper_models
from app.core.settings import Settings

# Names that clients have built in. Each stands for the default model.
HOSTED = ("whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe", "gpt-4o-transcribe-diarize", "gpt-transcribe")
ANY_HOSTED = re.compile(r"whisper(-?1)?|gpt(-[a-z0-9.]+)*-transcribe(-diarize)?(-latest|-\d{4}-\d{2}-\d{2})?", re.ASCII)
# Who publishes Whisper's weights under names that contain their size.
PUBLISHERS = ("systran", "openai", "deepdml", "mobiuslabsgmbh", "guillaumekln", "distil-whisper")
SAME = {"large": "large-v3", "turbo": "large-v3-turbo", "large-turbo": "large-v3-turbo"}
ENGLISH_ONLY = re.compile(r"\.en\b")
UNTRANSLATING = re.compile(r"turbo|distil|\.en\b", re.IGNORECASE)  # models that were not trained to translate


@dataclass(frozen=True)
class Choice:
    """A model of this server; ``names_speakers`` if the client's name for it promises them."""

    model: str
    names_speakers: bool = False


def find_model(name: str, settings: Settings, default: str) -> Choice | None:
    """Return the model that a client means by ``name``; None if this server has no such model."""
    allowed = whisper_models(settings)
    if name in allowed:
        return Choice(name)
    plain = name.strip().lower()
    if ANY_HOSTED.fullmatch(plain.removeprefix("openai/")):
        return Choice(default, "-diarize" in plain)
    size = _find_size(plain)
    for each, place in allowed.items() if size else ():
        if size in (_find_size(each), _find_size(place)):
            return Choice(each)
    return None


def list_names(settings: Settings) -> list[str]:
    """List the names that clients may send: those of OpenAI, ``whisper-<size>``, and our own."""
    own = list(whisper_models(settings))
    return list(dict.fromkeys([*HOSTED, *(f"whisper-{name}" for name in own if name in hub_names.WHISPER), *own]))


def find_translator(chosen: str, settings: Settings, default: str) -> str | None:
    """Return ``chosen`` if it can translate, else the default model or another one on disk that can; None without one."""
    places = whisper_models(settings)
    found = [name for name in places if find_on_disk(Model(WHISPER, name, places[name]), settings) is not None]
    candidates = (chosen, default, *found)
    return next((name for name in candidates if not UNTRANSLATING.search(f"{name} {places[name]}")), None)


def is_english_only(name: str, settings: Settings) -> bool:
    return ENGLISH_ONLY.search(f"{name} {whisper_models(settings).get(name, '')}") is not None


def _find_size(name: str) -> str | None:
    """Return Whisper's size in a name such as ``Systran/faster-whisper-large-v3``."""
    publisher, _, bare = name.lower().rpartition("/")
    if publisher and publisher not in PUBLISHERS:
        return None
    bare = bare.removeprefix("faster-").replace("whisper-", "").removesuffix("-ct2")
    size = SAME.get(bare, bare)
    return size if size in hub_names.WHISPER else None
