"""Tell where config.yaml's models are: folders, names known to a library, or hub repositories."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from app.core.catalog import hub_names

# The hub's rules for repository names; anything else in config.yaml is a folder or a name known to a library.
REPOSITORY = re.compile(r"(?!.*(--|\.\.|\.git$))\w([\w.-]{0,46}\w)?/\w([\w.-]{0,46}\w)?", re.ASCII)
LIBRARY_NAMES = frozenset(
    {*hub_names.WHISPER, *hub_names.DEMUCS, *hub_names.BUNDLES, hub_names.OPEN_DIARIZER, hub_names.AUTO}
)
KNOWN_REPOSITORIES = frozenset(
    {
        *hub_names.WHISPER.values(),
        *hub_names.ALIGNERS.values(),
        *hub_names.DEMUCS.values(),
        *hub_names.PIPELINES,
        *(part for parts in hub_names.PIPELINES.values() for part in parts),
    }
)


def list_folders(place: str, models: Path, beside: Path | None) -> list[Path]:
    """List the folders that ``place`` may mean, in the order in which they are tried.

    A relative one is looked for in ``models``, the folder of the models, then ``beside`` the configuration file. A name
    known to a library means a folder only in ``models``: another folder of that name is there by chance.
    """
    path = Path(place)
    if place.startswith("~"):
        try:
            path = path.expanduser()
        except RuntimeError:  # no such user
            return [path]
    if path.is_absolute():
        return [path]
    roots = [models] if beside is None or place in LIBRARY_NAMES else [models, beside]
    return list(dict.fromkeys((root / path).absolute() for root in roots))


def is_path(place: str, models: Path, beside: Path | None) -> bool:
    """Whether ``place`` can only mean a folder.

    Names at the hub are ``owner/name``. One that is also a path, because a folder is called like the owner, counts as a
    path, unless it is known or has been downloaded.
    """
    if place.startswith((".", "~", "/")) or place.count("/") > 1 or place.endswith("/"):
        return True
    if "/" not in place or place in KNOWN_REPOSITORIES:
        return False
    if (models / f"models--{place.replace('/', '--')}").is_dir():
        return False
    owner = place.partition("/")[0]
    return not REPOSITORY.fullmatch(place) or any(path.is_dir() for path in list_folders(owner, models, beside))


def check_place(place: str, models: Path, beside: Path | None) -> None:
    """Raise ValueError for a path without a folder; it lists the folders that were tried."""
    if not place.strip():
        raise ValueError("expected a folder or a name, not an empty text")
    tried = list_folders(place, models, beside)
    if not is_path(place, models, beside) or any(path.is_dir() for path in tried):
        return
    files = [path for path in tried if path.exists()]
    if files:
        raise ValueError(f"{files[0]} is a file; give the folder that contains it")
    raise ValueError(f"the folder {place!r:.200} does not exist; tried {join_names([str(path) for path in tried])}")


def join_names(names: Sequence[str]) -> str:
    """Join names as in a sentence: ``a``, ``a and b``, ``a, b and c``."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
