"""Which models clients may name or tasks may need, and where they lie on disk. Nothing else is ever loaded."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.core.catalog import demucs_repo, hub_names
from app.core.settings import Settings

WEIGHTS_FILE = "model.bin"
REPOSITORY = re.compile(r"(?!.*(--|\.\.|\.git$))\w([\w.-]{0,46}\w)?/\w([\w.-]{0,46}\w)?", re.ASCII)
OWN_FOLDER = re.compile(r"\$model/([\w-]+)", re.ASCII)

WHISPER, ALIGN, SEPARATE, DIARIZE = "whisper", "align", "separate", "diarize"
NETWORK = "network"  # one of those that a diarization pipeline is made of
# What a complete folder holds, by kind: each line asks for one of its names.
CONTENTS: dict[str, list[tuple[str, ...]]] = {
    WHISPER: [("config.json",), (WEIGHTS_FILE,)],
    ALIGN: [
        ("config.json",),
        ("vocab.json",),
        ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json"),
    ],
    DIARIZE: [("config.yaml",)],
    NETWORK: [("config.yaml",), ("pytorch_model.bin",)],
}


@dataclass(frozen=True)
class Model:
    """A model by the name that says it to people: a Whisper name, ``align:de``, ``separate:htdemucs``, ``diarize:…``.

    ``place`` is a folder (counted from models/), a name that a library knows, or a hub repository.
    """

    kind: str
    name: str
    place: str


def models(settings: Settings) -> list[Model]:
    """Every model a task here may need, the default Whisper model first."""
    return [
        *(Model(WHISPER, name, place) for name, place in whisper_models(settings).items()),
        *(Model(ALIGN, f"{ALIGN}:{language}", place) for language, place in aligners(settings).items()),
        *(Model(SEPARATE, f"{SEPARATE}:{name}", place) for name, place in separation_models(settings).items()),
        diarization_model(settings),
    ]


def whisper_models(settings: Settings) -> dict[str, str]:
    """Name → place of every Whisper model allowed here."""
    configured = {settings.whisper.model_size: settings.whisper.model_size, **settings.whisper.models}
    named = {as_folder(place, settings) for place in configured.values()}
    folders = sorted(path.parent for path in settings.models.path.glob(f"*/{WEIGHTS_FILE}"))
    found = {folder.name: str(folder) for folder in folders if folder not in named and folder.name not in configured}
    return configured | found


def aligners(settings: Settings) -> dict[str, str]:
    """Language → place of its aligner: the operator's choice before whisperx's."""
    return hub_names.ALIGNERS | dict(settings.align.models)


def diarization_model(settings: Settings) -> Model:
    """The one that names speakers; clients have no choice here."""
    place = settings.diarization.model
    return Model(DIARIZE, f"{DIARIZE}:{Path(place).name}", place)


def parts(model: Model) -> list[Model]:
    """The repositories that a diarization pipeline of the hub loads beside its own."""
    repos = hub_names.PIPELINES.get(model.place, ()) if model.kind == DIARIZE else ()
    return [Model(DIARIZE if repo in hub_names.PIPELINES else NETWORK, model.name, repo) for repo in repos]


def pages(model: Model) -> list[str]:
    """Where a diarization pipeline of the hub, and what belongs to it, asks for consent before it can be downloaded."""
    asking = [part.place for part in parts(model) if part.place in hub_names.GATED]
    return [hub_names.PAGES + place for place in (model.place, *asking)]


def located(model: Model, settings: Settings) -> Path | None:
    """The folder (of a torchaudio bundle: the file) that holds all of the model; None when it is not on disk."""
    if bundle_file(model) is not None:
        path = settings.models.path / str(bundle_file(model))
        return path if path.is_file() else None
    folder = as_folder(model.place, settings) or _snapshot(model, settings)
    if folder is None or not _complete(model, folder):
        return None
    return folder if all(located(part, settings) for part in parts(model)) else None


def separation_models(settings: Settings) -> dict[str, str]:
    """Name → place of every separation model allowed here; a place is a demucs repo folder or a name of demucs' own."""
    configured = {
        settings.bgm_separation.model_size: settings.bgm_separation.model_size,
        **settings.bgm_separation.models,
    }
    named = {as_folder(place, settings) for place in configured.values()}
    folders = sorted({path.parent for path in settings.models.path.glob("*/*.th")})
    found = {folder.name: str(folder) for folder in folders if folder not in named and folder.name not in configured}
    return configured | found


def as_folder(place: str, settings: Settings) -> Path | None:
    """The folder a configured place means, relative to models/; None when it names something on a hub."""
    folder = Path(place) if Path(place).is_absolute() else settings.models.path / place
    return folder if folder.is_dir() else None


def repository(model: Model) -> str | None:
    """The repository of the Hugging Face hub that the model's place stands for."""
    if model.kind == SEPARATE:
        return hub_names.DEMUCS.get(model.place)
    place = hub_names.WHISPER.get(model.place, model.place) if model.kind == WHISPER else model.place
    return place if REPOSITORY.fullmatch(place) else None


def bundle_file(model: Model) -> str | None:
    """The file's name when the model is one of torchaudio's bundles."""
    return hub_names.BUNDLES.get(model.place) if model.kind == ALIGN else None


def _snapshot(model: Model, settings: Settings) -> Path | None:
    """Where huggingface_hub keeps the repository's newest version under models/."""
    from huggingface_hub import try_to_load_from_cache  # a fifth of a second that a start need not wait for

    repo = repository(model)
    first = f"{model.place}.yaml" if model.kind == SEPARATE else CONTENTS[model.kind][0][0]
    found = try_to_load_from_cache(repo, first, cache_dir=settings.models.path) if repo else None
    return Path(found).parent if isinstance(found, str) else None


def _complete(model: Model, folder: Path) -> bool:
    if model.kind == SEPARATE:
        return demucs_repo.complete(folder, model.name.partition(":")[2])
    if not all(any((folder / name).exists() for name in names) for names in CONTENTS[model.kind]):
        return False
    return model.kind != DIARIZE or _has_its_folders(folder)


def _has_its_folders(folder: Path) -> bool:
    """Whether the folders that a pipeline's configuration names, as ``$model/embedding``, hold something."""
    named = OWN_FOLDER.findall((folder / "config.yaml").read_text(encoding="utf-8", errors="replace"))
    return all(any((folder / name).glob("*")) for name in named)
