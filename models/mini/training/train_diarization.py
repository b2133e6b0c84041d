"""Make the diarization folder: python train_diarization.py OUT [--trial] (half an hour on one core).

OUT gets `config.yaml`, `segmentation/` (the model inside whisperx's wheel, as it is, without its optimizer's state),
`embedding/` (an x-vector network, Snyder et al. 2018, trained here) and `plda/`: what pyannote.audio loads as a pipeline.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.pool import ThreadPool
from pathlib import Path

import diarization_folder
import numpy as np
import scipy.linalg
import speakers
import torch
from crops import Pool, batch
from pyannote.audio.models.embedding import XVectorMFCC
from torch.nn import functional
from voices import RATE
from xvector import BATCH, DIMENSION, embedded, in_order, network, pooled

SEED = 2026
SPEAKERS, TAKES = 960, 6
MILD = 0.2  # `harsh` of the windows that are not fully disturbed
REPORT = 25
ROUNDS = 8  # windows of each speaker for the projection
# of the additive angular margin (Deng et al. 2019), which comes in after a third of the steps
SCALE, MARGIN = 30.0, 0.2


@dataclass(frozen=True)
class Phase:
    """Steps at a learning rate that rises to `peak_rate` and falls.

    `harsh_share` of the batches are fully disturbed; the few speakers of flite are drawn `flite_weight` times as often.
    """

    steps: int
    peak_rate: float
    harsh_share: float
    flite_weight: int


# channels that bend every spectrum hide what little tells voices of one vocal tract apart; so the second phase is milder
PHASES = (Phase(1500, 1e-3, 1.0, 1), Phase(350, 5e-4, 0.25, 4))
TRIAL = (Phase(2, 1e-3, 1.0, 1),)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--trial", action="store_true", help="a few steps, to prove that it runs: a useless model")
    asked = arguments.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    began = time.time()
    pool = spoken(BATCH + 1 if asked.trial else SPEAKERS)
    hours = sum(len(said) for speaker in pool for said in speaker) / RATE / 3600
    print(f"{len(pool)} speakers, {hours:.1f} h, {time.time() - began:.0f} s", flush=True)
    diarization_folder.write(trained(pool, TRIAL if asked.trial else PHASES), pool, asked.out)
    print(f"{time.time() - began:.0f} s in all, {time.process_time() / 60:.1f} minutes of processor time")


def spoken(count: int) -> Pool:
    cast = speakers.cast(count, SEED)
    jobs = [(speaker, SEED + TAKES * number + take) for number, speaker in enumerate(cast) for take in range(TAKES)]
    with ThreadPool(2) as threads:
        said = threads.starmap(speakers.says, jobs)
    return [said[start : start + TAKES] for start in range(0, len(said), TAKES)]


def trained(pool: Pool, phases: Sequence[Phase]) -> XVectorMFCC:
    """Train the network: first a projection of its untrained convolutions, then all layers."""
    model, rng = network(), np.random.default_rng(SEED)
    centres = torch.nn.Parameter(projected(model, pool, rng))
    for phase in phases:
        learn(model, centres, pool, phase, rng)
    return model.eval()


def learn(model: XVectorMFCC, centres: torch.nn.Parameter, pool: Pool, phase: Phase, rng: np.random.Generator) -> None:
    optimizer = torch.optim.AdamW([*model.parameters(), centres], weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, phase.peak_rate, phase.steps, pct_start=0.15)
    often = np.ones(len(pool))
    often[: speakers.FLITES] = phase.flite_weight
    right = lost = 0.0
    model.train()
    for step in range(1, phase.steps + 1):
        who = rng.choice(len(pool), BATCH, replace=False, p=often / often.sum())
        target = torch.from_numpy(who)
        harsh = 1.0 if rng.random() < phase.harsh_share else MILD
        angles = functional.normalize(embedded(model, *batch(pool, who, rng, harsh))) @ functional.normalize(centres).T
        margin = MARGIN * min(1.0, max(0.0, 3 * step / phase.steps - 1))
        loss = functional.cross_entropy(SCALE * with_margin(angles, target, margin), target)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        lost, right = lost + loss.item(), right + (angles.argmax(1) == target).float().mean().item()
        if step % REPORT == 0:
            minutes = time.process_time() / 60
            print(f"step {step}: loss {lost / REPORT:.2f}, right {right / REPORT:.2f}, {minutes:.1f} min", flush=True)
            lost = right = 0.0


def projected(model: XVectorMFCC, pool: Pool, rng: np.random.Generator) -> torch.Tensor:
    """Set the last layer to the linear discriminants (Fisher 1936) of what the convolutions yield; each speaker's mean embedding.

    Random convolutions already distinguish voices; the training then takes minutes instead of hours.
    """
    everyone = np.array_split(rng.permutation(len(pool)), len(pool) // BATCH)
    with torch.no_grad():
        _scaled(model, [batch(pool, who, rng) for who in everyone])
        x = np.stack([in_order(pooled, model, pool, everyone, rng) for _ in range(ROUNDS)], 1).astype(np.float64)
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


def with_margin(angles: torch.Tensor, who: torch.Tensor, margin: float) -> torch.Tensor:
    own = angles.gather(1, who[:, None]).clamp(-1 + 1e-6, 1 - 1e-6)
    return angles.scatter(1, who[:, None], torch.cos(torch.acos(own) + margin))


if __name__ == "__main__":
    main()
