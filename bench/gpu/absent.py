"""Stand in for packages that are not installed, so that the modules that import them can be imported.

Nothing here uses these packages: what is measured needs only torch, transformers and numpy.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import sys
import types
from collections.abc import Sequence
from typing import Any

OURS = ("av", "ctranslate2", "demucs", "dotenv", "faster_whisper", "nltk", "peewee", "pyannote", "whisperx")


def replace_absent() -> list[str]:
    """Replace what is not installed; return its names."""
    absent = [name for name in OURS if not is_installed(name)]
    sys.meta_path.append(_Finder(absent))
    return absent


def is_installed(name: str) -> bool:
    """Whether a package is there, rather than its stand-in."""
    spec = importlib.util.find_spec(name)
    return spec is not None and not isinstance(spec.loader, _Finder)


class _Finder:
    """Find the absent packages and all of their modules."""

    def __init__(self, absent: list[str]) -> None:
        self._absent = absent

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name.partition(".")[0] not in self._absent:
            return None
        return importlib.machinery.ModuleSpec(name, self, is_package=True)  # type: ignore[arg-type]

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType:
        return _Absent(spec.name)

    def exec_module(self, module: types.ModuleType) -> None:
        """There is nothing to run."""


class _Absent(types.ModuleType):
    """A module whose names are classes that cannot be used."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {"__init__": _refuse, "__module__": self.__name__})


def _refuse(self: Any, *arguments: Any, **named: Any) -> None:
    raise ImportError(f"{type(self).__module__} is not installed here")
