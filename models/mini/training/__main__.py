"""Make all mini models from nothing, measure them and write the model card: `make mini-models`."""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
MINI = HERE.parent
WORK = HERE / "work"  # ignored by git; a finished step is not repeated while its file is there


def steps(out: Path) -> list[tuple[str, Path, list[str]]]:
    """(what it makes, the file that proves it made, the command), in order."""
    corpus, tokenizer = WORK / "corpus.npz", WORK / "tokenizer.json"
    listened, spoken = WORK / "listened.pt", out / "training" / "whisper_checkpoint.pt"
    return [
        ("utterances", corpus, ["corpus.py", str(corpus)]),
        ("tokenizer", tokenizer, ["tokenizer.py", str(tokenizer)]),
        ("whisper, encoder", listened, ["train_whisper.py", "listen", "1800", str(corpus), str(tokenizer), str(listened)]),
        ("whisper, whole", spoken, ["train_whisper.py", "speak", "4500", str(corpus), str(tokenizer), str(spoken), str(listened)]),
        ("whisper, converted", out / "whisper" / "model.bin", ["convert_whisper.py", str(spoken), str(tokenizer), str(out / "whisper")]),
        ("aligner", out / "align" / "model.safetensors", ["train_align.py", str(out / "align")]),
        ("diarization", out / "diarization" / "config.yaml", ["train_diarization.py", str(out / "diarization")]),
        ("demucs", out / "demucs" / "mini.yaml", ["train_demucs.py", str(out / "demucs")]),
        ("samples", out / "samples" / "conversation.flac", ["make_samples.py", str(out / "samples")]),
        ("figures", out / "MODEL_CARD.md", ["evaluate.py", str(out)]),
    ]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, help="folder for the models (default: training/work/models; copy it over models/mini when you like it)")
    chosen = arguments.parse_args()
    for program in ("espeak-ng", "flite"):
        if not shutil.which(program):
            sys.exit(f"{program} is needed: apt-get install espeak-ng flite")
    out = (chosen.out or WORK / "models").resolve()
    (out / "training").mkdir(parents=True, exist_ok=True)
    shutil.copy(MINI / "config.yaml", out)
    for name, proof, command in steps(out):
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
