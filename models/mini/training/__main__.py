"""Train all mini models, measure them and write the model card: `make mini-models`.

Intermediate files are in `work/`, which git ignores. A step is skipped if its file exists.
"""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MINI = HERE.parent


def steps(out: Path, work: Path, trial: bool) -> list[tuple[str, Path, list[str]]]:
    """List the steps in order: name, the file that each one writes, command."""
    corpus, tokenizer = work / "corpus.npz", work / "tokenizer.json"
    listened, spoken = work / "listened.pt", out / "training" / "whisper_checkpoint.pt"
    utterances, listen, speak = ("2000", "2", "2") if trial else ("25000", "1800", "4500")
    few = ["--trial"] if trial else []
    heard, said = [corpus, tokenizer, listened], [corpus, tokenizer, spoken, listened]
    made = [
        ("utterances", corpus, ["corpus.py", corpus, utterances]),
        ("tokenizer", tokenizer, ["tokenizer.py", tokenizer]),
        ("whisper, encoder", listened, ["train_whisper.py", "listen", listen, *heard]),
        ("whisper, whole", spoken, ["train_whisper.py", "speak", speak, *said]),
        ("whisper, converted", out / "whisper/model.bin", ["convert_whisper.py", spoken, tokenizer, out / "whisper"]),
        ("aligner", out / "align/model.safetensors", ["train_align.py", out / "align", *few]),
        ("diarization", out / "diarization/config.yaml", ["train_diarization.py", out / "diarization", *few]),
        ("demucs", out / "demucs/mini.yaml", ["train_demucs.py", out / "demucs", *few]),
        ("samples", out / "samples/music.rttm", ["make_samples.py", out / "samples"]),
        ("conversations", out / "samples/voices3.rttm", ["make_conversations.py", out / "samples"]),
        ("figures", out / "MODEL_CARD.md", ["evaluate.py", out, *few]),
    ]
    return [(name, proof, [str(part) for part in command]) for name, proof, command in made]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "--out",
        type=Path,
        help="folder for the models (default: work/models; copy it over models/mini when you like it)",
    )
    arguments.add_argument("--trial", action="store_true", help="a few steps of everything, to prove that it runs")
    asked = arguments.parse_args()
    for program in ("espeak-ng", "flite"):
        if not shutil.which(program):
            sys.exit(f"{program} is needed: apt-get install espeak-ng flite")
    work = HERE / "work" / ("trial" if asked.trial else "")
    out = (asked.out or work / "models").resolve()
    for folder in (work, out / "training"):
        folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(MINI / "config.yaml", out)
    for name, proof, command in steps(out, work, asked.trial):
        if proof.exists():
            print(f"{name}: there already ({proof})", flush=True)
            continue
        began = time.monotonic()
        print(f"{name} ...", flush=True)
        subprocess.run([sys.executable, str(HERE / command[0]), *command[1:]], check=True, cwd=HERE)
        print(f"{name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    print(f"Models and their card are in {out}")


if __name__ == "__main__":
    main()
