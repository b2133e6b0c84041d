"""Speak the demo's recording with espeak-ng: python make_sample.py SAMPLES_FOLDER (needs soundfile, scipy, espeak-ng).

Writes demo.flac (16 kHz mono) and demo.json: the reference text and the turns as the generator knows them, in seconds.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy.signal
import soundfile

RATE = 16_000
PAUSE = 0.75
TURNS = [
    ("en-us", "hello thanks"),
    ("en-us+f2", "good sound tomorrow"),
    ("en-gb", "please test light"),
    ("en-us+f2", "three blue water"),
    ("en-us", "red light left"),
    ("en-gb", "seven good result"),
    ("en-us+f2", "stop music please"),
    ("en-us", "yes tomorrow"),
]


def speak(text: str, voice: str) -> np.ndarray:
    command = ["espeak-ng", "-v", voice, "-s", "140", "--stdout", text]
    sound = subprocess.run(command, check=True, capture_output=True).stdout
    samples, rate = soundfile.read(io.BytesIO(sound), dtype="float32")
    samples = scipy.signal.resample_poly(samples, RATE, rate)
    loud = np.flatnonzero(abs(samples) > 1e-3)
    samples = samples[loud[0] : loud[-1] + 1]
    return (0.6 * samples / abs(samples).max()).astype(np.float32)


def main(folder: Path) -> None:
    pieces, turns = [np.zeros(int(0.4 * RATE), np.float32)], []
    for voice, text in TURNS:
        start = sum(map(len, pieces)) / RATE
        sound = speak(text, voice)
        turns.append({"start": round(start, 3), "end": round(start + len(sound) / RATE, 3), "voice": voice, "text": text})
        pieces += [sound, np.zeros(int(PAUSE * RATE), np.float32)]
    soundfile.write(folder / "demo.flac", np.concatenate(pieces), RATE, subtype="PCM_16")
    seconds = sum(map(len, pieces)) / RATE
    reference = {"language": "en", "duration": round(seconds, 3), "text": " ".join(text for _, text in TURNS), "turns": turns}
    (folder / "demo.json").write_text(json.dumps(reference, indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
