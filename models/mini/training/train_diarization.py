"""Make the diarization folder: python train_diarization.py OUT (TIME on one core).

OUT gets `config.yaml`, `segmentation/` (the model inside whisperx's wheel, as it is, without its optimizer's state),
`embedding/` (an x-vector network, Snyder et al. 2018, trained here) and `plda/`: what pyannote.audio loads as a pipeline.
"""

import os
import sys
import time
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path

os.environ["PYANNOTE_METRICS_ENABLED"] = "0"  # read by pyannote.audio at import

import lightning
import numpy as np
import pyannote.audio
import scipy.linalg
import speakers
import torch
import torch.nn.functional as F
import whisperx
import yaml
from lightning.pytorch.utilities.migration import migrate_checkpoint
from pyannote.audio.core.task import Problem, Resolution, Specifications
from crops import WINDOW, Pool, batch
from pyannote.audio.models.embedding import XVectorMFCC
from voices import RATE

SEED = 2026
SPEAKERS, TAKES = 420, 2
STEPS, BATCH, PEAK_RATE = 300, 60, 5e-4
ROUNDS = 8  # windows of each speaker that the projection is made from
DIMENSION = 64
SCALE, MARGIN = 30.0, 0.2  # of the additive angular margin (Deng et al. 2019); the margin comes in after a third of the steps
FEATURES = {
    "n_mfcc": 40,
    "dct_type": 2,
    "norm": "ortho",
    "log_mels": False,
    "melkwargs": {"n_fft": 512, "win_length": 400, "hop_length": 320, "n_mels": 40},
}
# found on the development conversations of evaluate_diarization.py
PARAMETERS = {
    "segmentation": {"threshold": 0.5, "min_duration_off": 0.6},
    "clustering": {"method": "centroid", "min_cluster_size": 4, "threshold": 0.75},
}


def main(out: Path) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    began = time.time()
    pool = spoken()
    print(f"{SPEAKERS} speakers, {sum(len(u) for s in pool for u in s) / RATE / 3600:.1f} h, {time.time() - began:.0f} s")
    model = trained(pool)
    save(model, pool, out)
    print(f"{time.time() - began:.0f} s in all, {time.process_time() / 60:.1f} minutes of processor time")


def spoken() -> Pool:
    cast = speakers.cast(SPEAKERS, SEED)
    jobs = [(speaker, SEED + TAKES * number + take) for number, speaker in enumerate(cast) for take in range(TAKES)]
    with ThreadPool(2) as threads:
        said = threads.starmap(speakers.says, jobs)
    return [said[start : start + TAKES] for start in range(0, len(said), TAKES)]


def trained(pool: Pool) -> XVectorMFCC:
    """The network: first the best projection of what its untrained convolutions yield, then all of it together."""
    model = XVectorMFCC(sample_rate=RATE, num_channels=1, mfcc=FEATURES, dimension=DIMENSION)
    rng = np.random.default_rng(SEED)
    centres = torch.nn.Parameter(projected(model, pool, rng))
    optimizer = torch.optim.AdamW([*model.parameters(), centres], weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_RATE, max(1, STEPS), pct_start=0.15)
    right = lost = 0.0
    model.train()
    for step in range(1, STEPS + 1):
        who = rng.choice(len(pool), BATCH, replace=False)
        target = torch.from_numpy(who)
        angles = F.normalize(embedded(model, *batch(pool, who, rng))) @ F.normalize(centres).T
        margin = MARGIN * min(1.0, max(0.0, 3 * step / STEPS - 1))
        loss = F.cross_entropy(SCALE * with_margin(angles, target, margin), target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        lost, right = lost + loss.item(), right + (angles.argmax(1) == target).float().mean().item()
        if step % 25 == 0:
            print(f"step {step}: loss {lost / 25:.2f}, right {right / 25:.2f}, {time.process_time() / 60:.1f} min", flush=True)
            lost = right = 0.0
    return model.eval()


def projected(model: XVectorMFCC, pool: Pool, rng: np.random.Generator) -> torch.Tensor:
    """Set the last layer to the linear discriminants (Fisher 1936) of what the convolutions yield; each speaker's mean embedding.

    Random convolutions already tell voices apart; from here the training takes minutes instead of hours.
    """
    everyone = np.array_split(rng.permutation(len(pool)), len(pool) // BATCH)
    with torch.no_grad():
        _scaled(model, [batch(pool, who, rng) for who in everyone])
        x = np.stack([_in_order(pooled, model, pool, everyone, rng) for _ in range(ROUNDS)], 1).astype(np.float64)
        mean, spread = x.mean((0, 1)), x.std((0, 1)) + 1e-6
        x = (x - mean) / spread
        within = x - x.mean(1, keepdims=True)
        within = np.einsum("std,ste->de", within, within, optimize=True) / (len(pool) * (ROUNDS - 1))
        within += 0.1 * np.trace(within) / len(within) * np.eye(len(within))
        last = len(within) - 1
        _, axes = scipy.linalg.eigh(np.cov(x.mean(1).T), within, subset_by_index=[last + 1 - DIMENSION, last])
        model.embedding.weight.copy_(torch.from_numpy((axes / spread[:, None]).T))
        model.embedding.bias.copy_(torch.from_numpy(-(mean / spread) @ axes))
        return torch.from_numpy(x.mean(1) @ axes).float()


def _scaled(model: XVectorMFCC, crops: list[tuple[torch.Tensor, torch.Tensor]]) -> None:
    """Let the normalization layers take the mean and scale of `crops` for theirs."""
    layers = [layer for layer in model.tdnns if isinstance(layer, torch.nn.BatchNorm1d)]
    for layer in layers:
        layer.momentum = None  # plain averages
    model.train()
    for crop in crops:
        pooled(model, *crop)
    model.eval()
    for layer in layers:
        layer.momentum = 0.1


def _in_order(
    layer: Callable[..., torch.Tensor], model: XVectorMFCC, pool: Pool, everyone: list[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """What `layer` makes of a window of every speaker, in the order of the pool."""
    found = np.concatenate([layer(model, *batch(pool, who, rng)).numpy() for who in everyone])
    return found[np.argsort(np.concatenate(everyone))]


def embedded(model: XVectorMFCC, sound: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    return model.embedding(pooled(model, sound, mask))


def pooled(model: XVectorMFCC, sound: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """As the model's own `forward` up to its last layer, but the convolutions in bfloat16, which halves the time."""
    features = model.mfcc(sound[:, None]).squeeze(1)
    with torch.autocast("cpu", torch.bfloat16):
        for layer in model.tdnns:
            features = layer(features)
    return model.stats_pool(features.float(), weights=mask)


def with_margin(angles: torch.Tensor, who: torch.Tensor, margin: float) -> torch.Tensor:
    own = angles.gather(1, who[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
    return angles.scatter(1, who[:, None], torch.cos(torch.acos(own) + margin))


def plda(model: XVectorMFCC, pool: Pool) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Centring and whitening as pyannote's `vbx_setup` applies them, and the two-covariance model in that space."""
    rng = np.random.default_rng(SEED + 1)
    everyone = np.array_split(np.arange(len(pool)), len(pool) // BATCH)
    with torch.inference_mode():
        x = np.stack([_in_order(embedded, model, pool, everyone, rng) for _ in range(ROUNDS)], 1).astype(np.float64)
    mean1 = x.mean((0, 1))
    x = np.sqrt(DIMENSION) * (x - mean1) / np.linalg.norm(x - mean1, axis=2, keepdims=True)
    lda, mean2 = np.eye(DIMENSION), x.mean((0, 1))
    x = np.sqrt(DIMENSION) * (x - mean2) / np.linalg.norm(x - mean2, axis=2, keepdims=True)
    mu, centres = x.mean((0, 1)), x.mean(1)
    within = np.einsum("std,ste->de", x - centres[:, None], x - centres[:, None]) / (x.shape[0] * (x.shape[1] - 1))
    between = np.cov(centres.T) - within / x.shape[1]
    psi, vectors = scipy.linalg.eigh(between, within)
    return {"mean1": mean1, "mean2": mean2, "lda": lda}, {"mu": mu, "tr": vectors.T, "psi": np.maximum(psi, 1e-3)}


def save(model: XVectorMFCC, pool: Pool, out: Path) -> None:
    for name in ("segmentation", "embedding", "plda"):
        (out / name).mkdir(parents=True, exist_ok=True)
    transform, two_covariance = plda(model, pool)
    np.savez(out / "plda" / "xvec_transform.npz", **transform)
    np.savez(out / "plda" / "plda.npz", **two_covariance)
    torch.save(checkpoint(model), out / "embedding" / "pytorch_model.bin")
    torch.save(segmentation(), out / "segmentation" / "pytorch_model.bin")
    configure(out)


def checkpoint(model: XVectorMFCC) -> dict[str, object]:
    """What Lightning would have written, the weights in half precision: they are widened when loaded."""
    return {
        "state_dict": {name: value.half() if value.is_floating_point() else value for name, value in model.state_dict().items()},
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
        "pyannote.audio": {
            "versions": {"torch": torch.__version__, "pyannote.audio": pyannote.audio.__version__},
            "architecture": {"module": "pyannote.audio.models.embedding", "class": "XVectorMFCC"},
            "specifications": Specifications(problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=WINDOW / RATE),
        },
    }


def segmentation() -> dict[str, object]:
    """The checkpoint of whisperx's wheel; two thirds of it are the state of an optimizer, which no use of it reads."""
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))
