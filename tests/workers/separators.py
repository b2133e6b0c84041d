"""Untrained demucs models, small enough to make in a test."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def untrained(sources: list[str]) -> Any:
    from demucs.hdemucs import HDemucs

    return HDemucs(sources, channels=4, depth=2, nfft=512, hybrid=False, segment=2)


def saved(folder: Path, signature: str, sources: list[str], bag: str | None = None) -> Path:
    """Save an untrained model of these sources as a demucs repository."""
    import torch
    import yaml

    folder.mkdir(exist_ok=True)
    model = untrained(sources)
    args, kwargs = model._init_args_kwargs
    package = {"klass": type(model), "args": args, "kwargs": kwargs, "state": model.state_dict()}
    torch.save(package, folder / f"{signature}.th")
    if bag:
        (folder / f"{bag}.yaml").write_text(yaml.safe_dump({"models": [signature]}))
    return folder
