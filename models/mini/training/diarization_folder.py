"""Write the folder that pyannote.audio loads as a pipeline: config, segmentation, embedding and PLDA."""

from pathlib import Path

import lightning
import numpy as np
import pyannote.audio
import scipy.linalg
import torch
import whisperx
import yaml
from crops import WINDOW, Pool
from lightning.pytorch.utilities.migration import migrate_checkpoint
from pyannote.audio.core.task import Problem, Resolution, Specifications
from pyannote.audio.models.embedding import XVectorMFCC
from voices import RATE
from xvector import BATCH, DIMENSION, embedded, in_order

SEED = 2027
ROUNDS = 8  # windows of each speaker for the PLDA
# found on the development conversations of evaluate_diarization.py
PARAMETERS = {
    "segmentation": {"threshold": 0.75, "min_duration_off": 0.8},
    "clustering": {"method": "centroid", "min_cluster_size": 9, "threshold": 0.65},
}


def write(model: XVectorMFCC, pool: Pool, out: Path) -> None:
    for name in ("segmentation", "embedding", "plda"):
        (out / name).mkdir(parents=True, exist_ok=True)
    transform, two_covariance = plda(model, pool)
    np.savez(out / "plda" / "xvec_transform.npz", **transform)
    np.savez(out / "plda" / "plda.npz", **two_covariance)
    torch.save(checkpoint(model), out / "embedding" / "pytorch_model.bin")
    torch.save(segmentation(), out / "segmentation" / "pytorch_model.bin")
    configure(out)


def plda(model: XVectorMFCC, pool: Pool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Centring and whitening as pyannote's `vbx_setup` applies them, and the two-covariance model in that space."""
    rng = np.random.default_rng(SEED)
    everyone = np.array_split(np.arange(len(pool)), len(pool) // BATCH)
    with torch.inference_mode():
        x = np.stack([in_order(embedded, model, pool, everyone, rng) for _ in range(ROUNDS)], 1).astype(np.float64)
    mean1 = x.mean((0, 1))
    x = np.sqrt(DIMENSION) * (x - mean1) / np.linalg.norm(x - mean1, axis=2, keepdims=True)
    lda, mean2 = np.eye(DIMENSION), x.mean((0, 1))
    x = np.sqrt(DIMENSION) * (x - mean2) / np.linalg.norm(x - mean2, axis=2, keepdims=True)
    mu, centres = x.mean((0, 1)), x.mean(1)
    within = np.einsum("std,ste->de", x - centres[:, None], x - centres[:, None]) / (x.shape[0] * (x.shape[1] - 1))
    between = np.cov(centres.T) - within / x.shape[1]
    psi, vectors = scipy.linalg.eigh(between, within)
    return {"mean1": mean1, "mean2": mean2, "lda": lda}, {"mu": mu, "tr": vectors.T, "psi": np.maximum(psi, 1e-3)}


def checkpoint(model: XVectorMFCC) -> dict[str, object]:
    """A checkpoint as Lightning writes it, with weights in half precision, which are widened when loaded."""
    return {
        "state_dict": {
            name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()
        },
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
        "pyannote.audio": {
            "versions": {"torch": torch.__version__, "pyannote.audio": pyannote.audio.__version__},
            "architecture": {"module": "pyannote.audio.models.embedding", "class": "XVectorMFCC"},
            "specifications": Specifications(
                problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW / RATE
            ),
        },
    }


def segmentation() -> dict[str, object]:
    """The checkpoint in the wheel of whisperx without the state of its optimizer, two thirds of the file."""
    wheel = Path(whisperx.__file__).parent / "assets" / "pytorch_model.bin"
    loaded, _ = migrate_checkpoint(torch.load(wheel, map_location="cpu", weights_only=False))
    return loaded | {"optimizer_states": [], "lr_schedulers": [], "callbacks": {}}


def configure(out: Path) -> None:
    pipeline = {
        "segmentation": "$model/segmentation",
        "segmentation_step": 0.2,  # windows of 5 s overlap by 4 s
        "segmentation_batch_size": 16,
        "embedding": "$model/embedding",
        "embedding_batch_size": 16,
        "embedding_exclude_overlap": True,
        "plda": "$model/plda",
        "clustering": "AgglomerativeClustering",
    }
    config = {
        "dependencies": {"pyannote.audio": "4.0.0"},
        "pipeline": {"name": "pyannote.audio.pipelines.SpeakerDiarization", "params": pipeline},
        "params": PARAMETERS,
    }
    (out / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
