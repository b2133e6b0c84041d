"""Measure every mini model on held-out data and write ../MODEL_CARD.md.

python evaluate.py [FOLDER OF THE MODELS] [--only MODEL ...] [--trial] (ten minutes on one core)
"""

import argparse
import textwrap
from collections.abc import Callable
from datetime import date
from pathlib import Path

import evaluate_align
import evaluate_demucs
import evaluate_diarization
import evaluate_whisper
import product

MINI = product.MINI
# figure → (target, whether more is better); figures without a target are reported too
TARGETS: dict[str, dict[str, tuple[float, bool]]] = {
    "whisper": {
        "WER, training voices": (0.03, False),
        "WER, voices never heard": (0.15, False),
        "language right": (0.98, True),
        "German to English, words right": (0.95, True),
        "words in silence": (0, False),
        "words in music": (0, False),
    },
    "align": {
        "en, median error (ms)": (40, False),
        "en, 95th percentile (ms)": (120, False),
        "de, median error (ms)": (40, False),
        "de, 95th percentile (ms)": (120, False),
    },
    "diarization": {
        "DER, 2-4 voices": (0.10, False),
        "speaker count right": (0.90, True),
    },
    "demucs": {
        "SI-SDR of vocals, gain over the mixture": (8, True),
        "SI-SDR of other, gain over the mixture": (6, True),
        "mixture minus sum of stems, mean": (-30, False),
        "mixture minus sum of stems, highest": (-30, False),
    },
}
UNITS = {
    "whisper": "Word error rates and shares, both of 1, over utterances of one to six words; words invented in 74 s of "
    "each kind of sound without speech.",
    "align": "Distance of a word's start or end from the generator's, in ms; the text is given.",
    "diarization": "Diarization error rates (no collar, overlap counted) and shares, both of 1; conversations of 40 to 90 s.",
    "demucs": "Decibels; speech at -10 to +10 dB over music, 12 s each.",
}
# second argument: a trial with a few recordings, to show that it runs
FIGURES: dict[str, Callable[[Path, bool], dict[str, float]]] = {
    "whisper": lambda models, trial: evaluate_whisper.figures(models, 2 if trial else evaluate_whisper.UTTERANCES),
    "align": lambda models, trial: evaluate_align.figures(models / "align", 2 if trial else evaluate_align.RECORDINGS),
    "diarization": lambda models, trial: evaluate_diarization.figures(
        models / "diarization", count=2 if trial else evaluate_diarization.COUNT
    ),
    "demucs": lambda models, trial: evaluate_demucs.figures(
        models / "demucs", 2 if trial else evaluate_demucs.RECORDINGS
    ),
}


def table(model: str, measured: dict[str, float]) -> str:
    """A Markdown table of the figures, each beside its target."""
    lines = [
        f"\n## {model}\n",
        f"{textwrap.fill(f'{UNITS[model]} Measured {date.today()}.', 100)}\n",
        "| figure | measured | target | |",
        "|---|---|---|---|",
    ]
    for name, value in measured.items():
        target, more = TARGETS[model].get(name, (None, True))
        if target is None:
            lines.append(f"| {name} | {value:.3f} | | |")
        else:
            reached = value >= target if more else value <= target
            lines.append(
                f"| {name} | {value:.3f} | {'≥' if more else '≤'} {target:g} | {'reached' if reached else '**missed**'} |"
            )
    return "\n".join(lines)


def sizes(models: Path) -> str:
    """A Markdown table of the sizes of the folders."""
    lines = ["\n## Sizes\n", "| folder | MB |", "|---|---|"]
    folders = [folder for folder in sorted(models.iterdir()) if folder.is_dir() and folder.name != "__pycache__"]
    for folder in folders:
        weight = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
        lines.append(f"| `{folder.name}/` | {weight / 1e6:.1f} |")
    return "\n".join(lines)


def kept(models: Path, name: str) -> str:
    """The section of a model in the existing card."""
    sections = ("\n" + (models / "MODEL_CARD.md").read_text()).split("\n## ")
    return next(f"\n## {section.rstrip()}" for section in sections if section.startswith(f"{name}\n"))


def measured(models: Path, name: str, trial: bool) -> str:
    print(f"measuring {name} ...", flush=True)
    found = FIGURES[name](models, trial)
    if missing := set(TARGETS[name]) - set(found):
        raise SystemExit(f"no figure for {sorted(missing)}")
    print(made := table(name, found), flush=True)
    return made


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("models", type=Path, nargs="?", default=MINI, help="their folder")
    arguments.add_argument(
        "--only", nargs="+", choices=FIGURES, default=list(FIGURES), help="leave the others' figures"
    )
    arguments.add_argument("--trial", action="store_true", help="few recordings, to prove that it runs")
    asked = arguments.parse_args()
    sections = [
        measured(asked.models, name, asked.trial) if name in asked.only else kept(asked.models, name)
        for name in FIGURES
    ]
    text = (Path(__file__).parent / "MODEL_CARD.in.md").read_text().rstrip()
    (asked.models / "MODEL_CARD.md").write_text("\n".join([text, sizes(asked.models), *sections]) + "\n")


if __name__ == "__main__":
    main()
