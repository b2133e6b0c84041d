"""Load demucs models from disk, in both formats of demucs.

Nothing here uses the network.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from demucs.api import Separator
from demucs.apply import BagOfModels
from demucs.hf import load_safetensors_model


def load(folder: Path, name: str, device: str) -> Any:
    """Load the Separator of ``name`` from ``folder``.

    The folder is a demucs repo of .th files, or a bag of .safetensors files from the hub.
    """
    kind = _HubSeparator if any(folder.glob("*.safetensors")) else Separator
    separator = kind(name, repo=folder, device=device, shifts=0)  # shifts are random; results must be reproducible
    # demucs moves the networks of a bag to the device for each call, and back: under another task that uses them
    separator.model.to(device)
    return separator


class _HubSeparator(Separator):  # type: ignore[misc]
    """A Separator of demucs 4.1 for .safetensors files.

    demucs itself would ask the hub for them at each load.
    """

    def _load_model(self) -> None:
        bag = yaml.safe_load((self._repo / f"{self._name}.yaml").read_text(encoding="utf-8"))
        models = [load_safetensors_model(self._repo / f"{signature}.safetensors") for signature in bag["models"]]
        self._model = BagOfModels(models, bag.get("weights"), bag.get("segment")).eval()
        self._audio_channels, self._samplerate = self._model.audio_channels, self._model.samplerate
