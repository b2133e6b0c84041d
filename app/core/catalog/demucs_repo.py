"""Read folders of demucs models without importing demucs.

A folder holds bags (.yaml), which list model signatures, and one file of weights per signature.
"""

from __future__ import annotations

from pathlib import Path

import yaml

WEIGHTS = (".th", ".safetensors")  # of local repos and of the hub


def choose_model(folder: Path, name: str) -> str | None:
    """The bag or signature called ``name``, or else the only one.

    Return None when it is ambiguous.
    """
    bags = {path.stem for path in folder.glob("*.yaml")}
    signatures = set(_list_weights(folder))
    if name in bags | signatures:
        return name
    candidates = bags or signatures
    return next(iter(candidates)) if len(candidates) == 1 else None


def is_complete(folder: Path, name: str) -> bool:
    """Whether the folder holds all weights of model ``name``."""
    model, present = choose_model(folder, name), _list_weights(folder)
    if model is None:
        return False
    bag = folder / f"{model}.yaml"
    return all(signature in present for signature in _read_signatures(bag)) if bag.exists() else model in present


def _list_weights(folder: Path) -> set[str]:
    return {path.stem.split("-")[0] for path in folder.iterdir() if path.suffix in WEIGHTS}


def _read_signatures(bag: Path) -> list[str]:
    try:
        content = yaml.safe_load(bag.read_text(encoding="utf-8"))
        return [str(signature) for signature in content["models"]]
    except (yaml.YAMLError, UnicodeDecodeError, KeyError, TypeError):
        return [""]  # a signature that no file has: a broken bag is never complete
