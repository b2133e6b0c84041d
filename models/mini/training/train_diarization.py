"""The diarization folder: python train_diarization.py OUT. On one core 30 minutes: 4 for the voices, 25 for the training, seconds for the rest.

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
from pyannote.audio.models.embedding import XVectorMFCC
from voices import RATE

SEED = 2026
SPEAKERS, TAKES = 420, 2
STEPS, BATCH, PEAK_RATE = 300, 60, 5e-4
ROUNDS = 8  # windows of each speaker that the projection is made from
WINDOW = 2 * RATE
MASK_HOP = 160
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
    "segmentation": {"threshold": 0.6, "min_duration_off": 0.4},
    "clustering": {"method": "centroid", "min_cluster_size": 6, "threshold": 0.7},
}

Pool = list[list[np.ndarray]]  # by speaker, what each says in several takes


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
    """Set the last layer to the linear discriminants (Fisher 1936) of the pooled convolutions; the mean embedding of each speaker.

    Random convolutions already tell voices apart; from here the training takes minutes instead of hours.
    """
    everyone = np.array_split(rng.permutation(len(pool)), len(pool) // BATCH)
    model.train()  # lets the normalization layers learn the scale of what passes
    with torch.no_grad():
        for who in everyone:
            pooled(model, *batch(pool, who, rng))
        model.eval()
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


def batch(pool: Pool, who: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """For each of `who` a disturbed window `(B, WINDOW)` and the frames of it in which they speak `(B, frames)`."""
    windows = [window(pool[speaker], pool[other], rng) for speaker, other in zip(who, np.roll(who, 1), strict=True)]
    sound, mask = (torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))
    return disturbed(sound, rng), mask


def window(own: list[np.ndarray], others: list[np.ndarray], rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A speaker's words for 0.6 to 2 s, somewhere in WINDOW; before and after silence, or somebody else's words."""
    sound, mask = np.zeros(WINDOW, np.float32), np.zeros(WINDOW // MASK_HOP, np.float32)
    length = int(rng.uniform(0.6, 2.0) * RATE)
    start = int(rng.integers(0, WINDOW - length + 1))
    if rng.random() < 0.5:
        _fill(sound, others, rng.uniform(0.3, 1.0), rng)
    sound[start : start + length] = 0
    _fill(sound[start : start + length], own, 1.0, rng)
    mask[start // MASK_HOP : (start + length) // MASK_HOP] = 1
    return sound, mask


def _fill(place: np.ndarray, said: list[np.ndarray], gain: float, rng: np.random.Generator) -> None:
    """Pieces of 0.3 to 1 s of several takes, which differ in pitch and tempo, as the words of one voice do in our recordings."""
    at = 0
    while at < len(place):
        take, length = said[rng.integers(len(said))], int(rng.uniform(0.3, 1.0) * RATE)
        skipped = int(rng.integers(0, max(1, len(take) - length)))
        piece = take[skipped : skipped + min(length, len(place) - at)]
        place[at : at + len(piece)] = piece * (gain / 32768)
        at += len(piece) + int(rng.uniform(0.0, 0.15) * RATE)


def disturbed(sound: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Each window through a channel, sometimes a telephone or a room, with noise at 5 to 45 dB, at any level."""
    count, length = sound.shape
    frequencies = np.fft.rfftfreq(2 * length, 1 / RATE)
    spectrum = torch.fft.rfft(sound, 2 * length)
    curves = np.stack([_channel(frequencies, rng) for _ in range(count)])
    spectrum *= torch.from_numpy(curves.astype(np.float32))
    rooms = np.stack([_room(length // 2, rng) for _ in range(count)])
    spectrum *= torch.fft.rfft(torch.from_numpy(rooms), 2 * length)
    clean = torch.fft.irfft(spectrum, 2 * length)[:, :length]
    tilt = torch.from_numpy((np.maximum(frequencies, 50)[None] / 1000) ** rng.uniform(-1, 0.3, (count, 1))).float()
    noise = torch.fft.irfft(torch.fft.rfft(torch.randn(count, length), 2 * length) * tilt, 2 * length)[:, :length]
    level = clean.std(1, keepdim=True) / noise.std(1, keepdim=True).clamp(min=1e-6)
    ratio = torch.from_numpy(10 ** (-rng.uniform(5, 45, (count, 1)) / 20)).float()
    mixed = clean + noise * level * ratio * torch.from_numpy(rng.random((count, 1)) < 0.7)
    gain = torch.from_numpy(10 ** (rng.uniform(-30, 0, (count, 1)) / 20)).float()
    return mixed / mixed.abs().amax(1, keepdim=True).clamp(min=1e-6) * gain


def _channel(frequencies: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A smooth random curve within about 6 dB; one in five also cut to the band of a telephone."""
    knots = np.geomspace(60, RATE / 2, 8)
    decibels = np.interp(np.log(np.maximum(frequencies, 60)), np.log(knots), rng.normal(0, 3, 8))
    if rng.random() < 0.2:
        decibels = decibels - 40 * ((frequencies < rng.uniform(150, 350)) | (frequencies > rng.uniform(3300, 3900)))
    return 10 ** (decibels / 20)


def _room(length: int, rng: np.random.Generator) -> np.ndarray:
    """An impulse response: sound as it comes, or with an echo that dies away in 0.1 to 0.5 s."""
    response = np.zeros(length, np.float32)
    if rng.random() < 0.3:
        decay = np.exp(-6.9 * np.arange(length) / RATE / rng.uniform(0.1, 0.5))
        response += (rng.standard_normal(length) * decay * rng.uniform(0.01, 0.06)).astype(np.float32)
    response[0] = 1
    return response


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
