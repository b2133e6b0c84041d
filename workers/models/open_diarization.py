"""Make the ``open`` diarization model: a folder that pyannote.audio loads like any other pipeline.

It consists of the segmentation model in the package of whisperx, the speaker encoder of Resemblyzer, and thresholds that
were found on recordings of meetings.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import io
import shutil
import warnings
import zipfile
from pathlib import Path
from typing import Any

from app.core.catalog import hub_names
from app.core.catalog.catalog import PYPI_MARK
from app.core.settings import Settings
from workers.models import hub, pypi
from workers.models.errors import DownloadError

RESEMBLYZER = pypi.PinnedWheel(
    "Resemblyzer", "0.1.4", "8f12eb2f1a9982d32e8db7856de754709b59c93a77bcf0ff536584b619a9dd1f", 15_747_704
)
WEIGHTS = "resemblyzer/pretrained.pt"  # in the wheel
LICENSE = "Resemblyzer-0.1.4.dist-info/LICENSE"  # Apache-2.0
NETWORKS = ("segmentation", "embedding")  # folders with a CHECKPOINT, the name that pyannote.audio expects
CHECKPOINT = "pytorch_model.bin"
TRAINING_ONLY = ("similarity_weight", "similarity_bias")  # weights of the loss function
PIPELINE = {
    "segmentation": "$model/segmentation",
    "segmentation_step": 0.2,  # windows of 5 s overlap by 4 s
    "segmentation_batch_size": 16,
    "embedding": "$model/embedding",
    "embedding_batch_size": 16,
    "embedding_exclude_overlap": True,
    "plda": "$model/plda",
    "clustering": "AgglomerativeClustering",
}
# Found on nine recordings of meetings, alone and joined to longer ones with up to 21 speakers. Centroid linkage, the usual
# choice, is as good on each of the nine, but merges most of the 21 speakers.
PARAMETERS = {
    "segmentation": {"threshold": 0.6, "min_duration_off": 0.1},
    "clustering": {"method": "average", "min_cluster_size": 5, "threshold": 0.28},
}


def fetch(settings: Settings) -> Path:
    """Download the speaker encoder from PyPI, unless the model is on disk, and return the model's folder.

    A folder on disk is only verified. Raises DownloadError.
    """
    folder = settings.models.path / hub_names.OPEN_DIARIZER
    if (folder / PYPI_MARK).is_file():  # otherwise, somebody's own pipeline
        _verify(folder)
    return pypi.install(folder, [RESEMBLYZER], _build)


def _verify(folder: Path) -> None:
    damaged = [name for name in NETWORKS if not _is_intact(folder / name / CHECKPOINT)]
    if damaged:
        shutil.rmtree(folder)
        reason = f"{' and '.join(damaged)} in {folder} is damaged"
        raise DownloadError(reason, "The folder has been removed; pull the model again.", local=True)


def _is_intact(file: Path) -> bool:
    return file.is_file() and hub.is_intact(file)


def _build(wheels: list[Path], folder: Path) -> None:
    with zipfile.ZipFile(wheels[0]) as wheel:
        write_pipeline(load_encoder(io.BytesIO(wheel.read(WEIGHTS))), folder)
    pypi.extract(wheels[0], LICENSE, folder / "embedding" / "LICENSE")


def write_pipeline(encoder: Any, folder: Path) -> None:
    """Write a pipeline with a VoiceEncoder into ``folder``."""
    for name in (*NETWORKS, "plda"):
        (folder / name).mkdir()
    _save_network(_load_segmentation(), folder / "segmentation")
    _save_network(encoder, folder / "embedding")
    _save_plda(folder / "plda")
    write_config(folder)


def write_config(folder: Path) -> None:
    """Write config.yaml, with the thresholds."""
    import yaml

    config = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {"name": "pyannote.audio.pipelines.SpeakerDiarization", "params": PIPELINE},
        "params": PARAMETERS,
    }
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))


def load_encoder(weights: io.BytesIO) -> Any:
    """Load Resemblyzer's pretrained.pt into a VoiceEncoder."""
    import torch

    from workers.models.voice_encoder import VoiceEncoder

    encoder = VoiceEncoder()
    stored = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
    trained = {name: value for name, value in stored.items() if name not in TRAINING_ONLY}
    fixed = {name: value for name, value in encoder.state_dict().items() if name.startswith("mel.")}
    encoder.load_state_dict(trained | fixed)
    return encoder.eval()


def _load_segmentation() -> Any:
    package = importlib.util.find_spec("whisperx")
    assert package is not None and package.origin is not None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about torchcodec, and about the age of the file
        from pyannote.audio.core.model import Model

        return Model.from_pretrained(Path(package.origin).parent / "assets" / "pytorch_model.bin")


def _save_network(network: Any, folder: Path) -> None:
    """Write a checkpoint as Lightning does, without the state of the training."""
    import torch

    checkpoint = {
        "state_dict": network.state_dict(),
        "hyper_parameters": dict(network.hparams),
        "pytorch-lightning_version": importlib.metadata.version("lightning"),
    }
    network.on_save_checkpoint(checkpoint)
    torch.save(checkpoint, folder / CHECKPOINT)


def _save_plda(folder: Path) -> None:
    """Write a PLDA that changes nothing.

    pyannote.audio 4.0 loads one with every pipeline; agglomerative clustering does not use it.
    """
    import numpy as np

    zero, one = np.zeros(1), np.eye(1)
    np.savez(folder / "xvec_transform.npz", mean1=zero, mean2=zero, lda=one)
    np.savez(folder / "plda.npz", mu=zero, tr=one, psi=np.ones(1))
