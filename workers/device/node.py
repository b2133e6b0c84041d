"""What a node of a Ray cluster says about itself: its versions, and why tasks would fail on it.

It imports this checkout, but not ray.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from app.core.errors import SettingsError
from app.core.settings import ROOT, Settings
from app.core.storage.opening import check_storage
from workers.models.model_checks import find_problems

MARK = ".supervisor-"  # the name of a file in cache.path begins with it


@dataclass(frozen=True)
class Versions:
    """What must be the same on all nodes. Of Python without the last part; ``build`` is a hash of the service's code."""

    ray: str
    python: str
    build: str

    def __str__(self) -> str:
        return f"Ray {self.ray}, Python {self.python} and build {self.build} of the service"


def read_versions() -> Versions:
    """Return the versions of this process."""
    return Versions(version("ray"), ".".join(platform.python_version_tuple()[:2]), _hash_code())


def _hash_code() -> str:
    hashed = hashlib.sha256()
    for file in sorted(file for folder in ("app", "workers") for file in (ROOT / folder).rglob("*.py")):
        hashed.update(file.relative_to(ROOT).as_posix().encode() + file.read_bytes())
    return hashed.hexdigest()[:8]


def write_mark(cache: Path) -> str:
    """Make a file in the folder of this supervisor, and remove those of earlier ones. Return its name."""
    for old in cache.glob(f"{MARK}*"):
        old.unlink(missing_ok=True)
    mark = f"{MARK}{uuid.uuid4().hex}"
    (cache / mark).touch()
    return mark


@contextlib.contextmanager
def borrowed_mark(cache: Path) -> Iterator[str]:
    """Like ``write_mark``, but beside a supervisor that runs, and only for a while."""
    mark = f".check-{uuid.uuid4().hex}"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / mark).touch()
    try:
        yield mark
    finally:
        (cache / mark).unlink(missing_ok=True)


def find_obstacle(settings: Settings, mark: str) -> str:
    """Return why tasks would fail on this node; empty if they can run.

    ``mark``: the name of a file in ``cache.path`` of the supervisor.
    """
    cache = settings.cache.path
    if not settings.storage.url and not (cache / mark).exists():
        return f"cache.path {cache} is not the supervisor's: without storage.url, it must be a shared folder"
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"cache.path {cache} cannot be made: {error.strerror}"
    if not os.access(cache, os.W_OK | os.X_OK):
        return f"cache.path {cache} is not writable"
    return "; ".join(f"model {problem}" for problem in find_problems(settings))


def check_node(settings: Settings, mark: str) -> str:
    """Return like ``find_obstacle``; also write a small object to the bucket, and remove it."""
    if obstacle := find_obstacle(settings, mark):
        return obstacle
    try:
        return check_storage(settings)
    except SettingsError as error:
        return str(error)
