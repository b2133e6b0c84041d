"""Wheels in a folder that pip uses in place of PyPI."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from workers.models.pypi import PinnedWheel


@dataclass(frozen=True)
class Wheels:
    """The folder ``path`` with wheels."""

    path: Path

    def add(self, name: str, files: Mapping[str, bytes]) -> PinnedWheel:
        """Add a wheel of version 1.0.0 that holds ``files``."""
        base = f"{name.replace('-', '_')}-1.0.0"
        file = self.path / f"{base}-py3-none-any.whl"
        metadata = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0.0\n",
            "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(file, "w") as archive:
            for member, content in files.items():
                archive.writestr(member, content)
            for member, text in metadata.items():
                archive.writestr(f"{base}.dist-info/{member}", text)
        content = file.read_bytes()
        return PinnedWheel(name, "1.0.0", hashlib.sha256(content).hexdigest(), len(content))


def replace_pypi(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    """Let pip take packages only from ``folder``; return it."""
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return Wheels(folder)
