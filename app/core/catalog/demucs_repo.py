"""Folders of demucs' models, read without demucs: bags (.yaml) that name signatures, and a file of weights for each of those."""

from __future__ import annotations

from pathlib import Path

import yaml

WEIGHTS = (".th", ".safetensors")  # a repo of one's own; the hub's


def chosen(folder: Path, name: str) -> str | None:
    """What ``name`` means there: the bag or signature of that name, or the only one; None when that is not clear."""
    bags = {path.stem for path in folder.glob("*.yaml")}
    signatures = set(_weights(folder))
    if name in bags | signatures:
        return name
    there = bags or signatures
    return next(iter(there)) if len(there) == 1 else None


def complete(folder: Path, name: str) -> bool:
    """Whether all weights are there of what ``name`` means in the folder."""
    model, there = chosen(folder, name), _weights(folder)
    if model is None:
        return False
    bag = folder / f"{model}.yaml"
    return all(signature in there for signature in _signatures(bag)) if bag.exists() else model in there


def _weights(folder: Path) -> set[str]:
    return {path.stem.split("-")[0] for path in folder.iterdir() if path.suffix in WEIGHTS}


def _signatures(bag: Path) -> list[str]:
    try:
        named = yaml.safe_load(bag.read_text(encoding="utf-8"))
        return [str(signature) for signature in named["models"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return [""]  # names no weights that could be there
