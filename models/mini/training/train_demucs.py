"""Train the mini demucs: python train_demucs.py OUT [--trial]

It takes 23 minutes of one core: half a second a step and a minute for its data.

A small HDemucs at 16 kHz, stereo, of two stems, `other` and `vocals`. Its time branch is off and it estimates
magnitudes, from which demucs' own Wiener filter makes the stems: learnt in a fraction of the time that complex
spectra take, and the stems add up to the mixture by construction. OUT becomes a demucs repo folder: `mini.yaml` (a
bag of one) and `mini16k-<sha256>.th` in half precision.
"""

import argparse
import copy
import time
from pathlib import Path

import numpy as np
import torch
import yaml
from demucs.hdemucs import HDemucs
from demucs.states import get_state, save_with_checksum
from stems import SOURCES, Pools, music_pool, speech_pool
from voices import RATE

NAME, SIGNATURE = "mini", "mini16k"
WINDOW = 40_960  # samples, 2.56 s: 160 hops of the spectrogram
SEGMENT = 10  # seconds per call of the finished model
BATCH, STEPS = 6, 2500
LEARNING_RATE = 2e-3
FLOOR = 1e-3  # of the mixture's power: smaller errors are ignored
SUM_FLOOR, SUM_WEIGHT = 1e-4, 0.3


def network() -> HDemucs:
    """Without the filter's iteration in training (`end_iters`), where it would cost three times what the network does."""
    masks = {"hybrid": False, "cac": False, "wiener_iters": 1, "end_iters": -1}
    size = {"channels": 16, "depth": 4, "nfft": 1024, "dconv_depth": 1, "dconv_lstm": 3}
    return HDemucs(list(SOURCES), samplerate=RATE, segment=SEGMENT, **size, **masks)


def loss(estimate: torch.Tensor, stems: torch.Tensor) -> torch.Tensor:
    """Mean error of the stems in dB of the mixture's power, and of their sum: a stem that should be silent counts like any other.

    The thresholded signal-to-noise ratio of Wisdom et al., "What's all the fuss about free universal sound separation
    data?" (2021).
    """
    mixture = stems.sum(1)
    power = mixture.square().mean((-1, -2)) + 1e-9
    wrong = (estimate - stems).square().mean((-1, -2)) / power[:, None]
    missing = (estimate.sum(1) - mixture).square().mean((-1, -2)) / power
    return 10 * (torch.log10(wrong + FLOOR).mean() + SUM_WEIGHT * torch.log10(missing + SUM_FLOOR).mean())


def learning_rate(done: float) -> float:
    """The learning rate when `done` (0-1) of the training is over: a short rise, then half a cosine."""
    return LEARNING_RATE * min(1.0, done / 0.02 + 0.05) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * done)))


def train(out: Path, pools: Pools, steps: int) -> None:
    rng = np.random.default_rng(0)
    model, average, begun = network().train(), 0.0, time.monotonic()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.98), weight_decay=1e-3)
    smooth = copy.deepcopy(model)
    print(f"{sum(p.numel() for p in model.parameters())} parameters", flush=True)
    for step in range(1, steps + 1):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step / steps)
        stems = torch.from_numpy(np.stack([pools.example(rng, WINDOW) for _ in range(BATCH)]))
        error = loss(model(stems.sum(1)), stems)
        optimizer.zero_grad()
        error.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        optimizer.step()
        follow(smooth, model, min(0.995, 1 - 10 / (step + 10)))
        average += (error.item() - average) / min(step, 50)
        if step % 50 == 0:
            print(f"{step} steps, {time.monotonic() - begun:.0f} s: {average:.2f} dB", flush=True)
        if step % 250 == 0:
            save(smooth, out)
    save(smooth, out)


@torch.no_grad()
def follow(smooth: HDemucs, model: HDemucs, keep: float) -> None:
    """Update the running mean of the weights, which is shipped: it is better than any single step."""
    for mean, now in zip(smooth.parameters(), model.parameters(), strict=True):
        mean.lerp_(now, 1 - keep)


def save(model: HDemucs, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for old in out.glob(f"{SIGNATURE}-*.th"):
        old.unlink()
    args, kwargs = network()._init_args_kwargs
    package = {"klass": HDemucs, "args": args, "kwargs": kwargs, "state": get_state(model, None, half=True)}
    save_with_checksum(package, out / f"{SIGNATURE}.th")
    (out / f"{NAME}.yaml").write_text(yaml.safe_dump({"models": [SIGNATURE]}))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("out", type=Path)
    arguments.add_argument("--trial", action="store_true", help="a few steps, to prove that it runs: a useless model")
    asked = arguments.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    speech, music = (20, 5) if asked.trial else (1500, 400)
    train(asked.out, Pools(speech_pool(speech), music_pool(music, 8)), 2 if asked.trial else STEPS)


if __name__ == "__main__":
    main()
