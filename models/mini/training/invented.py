"""Random voices for espeak-ng, written as variant files."""

import random
import subprocess
from pathlib import Path

MOST = 200  # espeak-ng reads at most 350 voices, including 131 languages


def write(count: int, seed: int, folder: Path) -> list[str]:
    """Write `count` variants for `espeak-ng --path=FOLDER`, where they replace its own; return their names."""
    if count > MOST:
        raise ValueError(f"espeak-ng would not find all of {count} variants")
    said = subprocess.run(["espeak-ng", "--version"], check=True, capture_output=True, text=True).stdout
    theirs, ours = Path(said.partition("Data at:")[2].strip()), folder / "espeak-ng-data"
    variants = ours / "voices" / "!v"
    variants.mkdir(parents=True)
    for entry in theirs.iterdir():
        if entry.name != "voices":
            (ours / entry.name).symlink_to(entry)
    rng = random.Random(seed)
    names = [f"invented{number}" for number in range(count)]
    for name in names:
        (variants / name).write_text(variant(name, rng))
    return names


def variant(name: str, rng: random.Random) -> str:
    """A variant file; a short vocal tract, which lifts all formants, mostly goes with a high pitch."""
    tract = rng.uniform(0.9, 1.22)
    pitch = round(75 * tract ** rng.uniform(1, 5) * rng.uniform(0.95, 1.2))
    lines = ["language variant", f"name {name}", f"pitch {pitch} {round(pitch * rng.uniform(1.4, 1.65))}"]
    lines.append(f"formant 0 {round(100 * tract)} {rng.randint(75, 125)} {rng.randint(90, 150)}")
    for number in range(1, 9):
        place = round(100 * tract * rng.gauss(1, 0.05 if number < 5 else 0.08))
        height = rng.randint(65, 110) if number < 3 else rng.randint(50, 120)
        lines.append(f"formant {number} {place} {height} {rng.randint(80, 160)}")
    if rng.random() < 0.5:
        lines.append(f"voicing {rng.randint(70, 160)}")
    if rng.random() < 0.3:
        lines += [f"roughness {rng.randint(0, 4)}", f"flutter {rng.randint(0, 8)}"]
    if rng.random() < 0.3:
        lines.append("breath " + " ".join(str(rng.randint(0, 5)) for _ in range(8)))
    if rng.random() < 0.3:
        lines.append(f"consonants {rng.randint(70, 150)} {rng.randint(70, 150)}")
    if rng.random() < 0.3:
        lines.append(f"echo {rng.randint(100, 150)} {rng.randint(5, 20)}")
    return "\n".join(lines) + "\n"
