"""Make the sample recordings and their transcripts: python make_samples.py FOLDER (20 seconds).

Beside each recording are `.json` (language, text, words and turns, times in seconds) and `.rttm` (the turns).
"""

import json
import random
import sys
from pathlib import Path
from typing import Any

import numpy as np
import scenes
import scipy.signal
import soundfile
import voices
from music import music
from scenes import Recording
from voices import RATE

SEED = 2026
MUSIC_RATE = 32_000
ANN, BEN, IAN = "slt", "rms", "en-us+f2"
SHORT = [
    (ANN, "hello thanks"),
    (BEN, "good sound tomorrow"),
    (IAN, "please test light"),
    (BEN, "three blue sample"),
    (ANN, "red light water"),
    (IAN, "seven good result"),
    (BEN, "stop music please"),
    (ANN, "yes tomorrow"),
]
CONVERSATION = [
    (ANN, "hello we test the speech sample today"),
    (BEN, "hello yes please start the music and the light"),
    (IAN, "thanks the green light is good"),
    (ANN, "is the sample red and black"),
    (BEN, "no the sample is blue and white not red"),
    (IAN, "seven is the result and eight is not"),
    (ANN, "please stop the music the sound is bad"),
    (BEN, "we stop monday and we start tuesday"),
    (IAN, "twenty up thirty down fifty left hundred right"),
    (ANN, "good the test is not bad thanks"),
    (BEN, "tomorrow we open the water"),
    (IAN, "yes thanks we close the sample today"),
]
GERMAN = [
    ("de", "hallo wir heute und wir morgen"),
    ("de+f4", "ja licht ist gut und nicht schlecht"),
    ("de", "sieben acht neun zehn elf zwölf"),
    ("de+f4", "bitte musik links und wasser rechts"),
    ("de", "ergebnis ist rot nicht blau danke"),
]
UTTERANCES = (  # language, voices, how many
    ("en", voices.ESPEAK["en"], 9),
    ("en", voices.FLITE, 9),
    ("de", voices.ESPEAK["de"], 9),
    ("en", voices.HELD_OUT["en"], 6),
    ("de", voices.HELD_OUT["de"], 6),
)
PAUSE, BETWEEN = (0.05, 0.15), (0.5, 0.9)  # seconds between words, between lines


def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    nrng = np.random.default_rng(SEED)
    talk = _spoken("en", CONVERSATION)
    _write(folder / "short.flac", RATE, _spoken("en", SHORT))
    _write(folder / "conversation.flac", RATE, talk)
    _write(folder / "conversation-over-music.ogg", MUSIC_RATE, talk, _over_music(talk.samples, nrng))
    _write(folder / "german.flac", RATE, _spoken("de", GERMAN))
    _write(folder / "silence.flac", RATE, Recording("en", np.zeros(10 * RATE, np.float32)))
    _write_utterances(folder / "utterances.ogg")
    alone = 0.5 * music(nrng, 15, MUSIC_RATE)
    _write(folder / "music.ogg", MUSIC_RATE, Recording("en", alone.mean(0)), alone.T)


def _spoken(language: str, lines: list[tuple[str, str]]) -> Recording:
    return scenes.script(
        language, [(voice, text.split()) for voice, text in lines], random.Random(SEED), PAUSE, BETWEEN
    )


def _over_music(speech: np.ndarray, nrng: np.random.Generator) -> np.ndarray:
    """Stereo `(samples, 2)`: the speech in the middle, different music every ten seconds or so, 3 dB below it."""
    voice = scipy.signal.resample_poly(speech, MUSIC_RATE, RATE)
    pieces = np.concatenate([music(nrng, 10, MUSIC_RATE) for _ in range(len(voice) // (10 * MUSIC_RATE) + 1)], 1)[
        :, : len(voice)
    ]
    level = 10 ** (-3 / 20) * np.sqrt(np.mean(voice**2) / np.mean(pieces**2))
    mixed = voice[:, None] + level * pieces.T
    return 0.9 * mixed / abs(mixed).max()


def _write(path: Path, rate: int, recording: Recording, samples: np.ndarray | None = None) -> None:
    """The sound of `samples`, or of the recording itself; what is said is the recording's."""
    sound = recording.samples if samples is None else samples
    _write_sound(path, rate, sound)
    _write_text(
        path,
        language=recording.language,
        duration=round(len(sound) / rate, 3),
        text=recording.text,
        words=[
            {"word": w.text, "start": round(w.start, 3), "end": round(w.end, 3), "speaker": w.voice}
            for w in recording.words
        ],
        turns=[_turn(recording, *turn) for turn in recording.turns()],
    )
    path.with_suffix(".rttm").write_text(scenes.rttm(recording, path.stem))


def _turn(recording: Recording, start: float, end: float, voice: str) -> dict[str, Any]:
    text = " ".join(word.text for word in recording.words if start <= word.start < end)
    return {"start": round(start, 3), "end": round(end, 3), "speaker": voice, "text": text}


def _write_utterances(path: Path) -> None:
    """Held-out utterances, one after another with a second between: a small set to hold a model to its figures."""
    pieces, about, at = [np.zeros(RATE, np.float32)], [], RATE
    for number, (language, among, count) in enumerate(UTTERANCES):
        first = scenes.HELD_OUT_SEED + 5_000_000 + 1000 * number
        for text, voice, sound in (scenes.utterance(seed, language, among) for seed in range(first, first + count)):
            known = voice not in voices.HELD_OUT[language]
            about.append(
                {
                    "language": language,
                    "voice": voice,
                    "known": known,
                    "text": text,
                    "start": at / RATE,
                    "end": (at + len(sound)) / RATE,
                }
            )
            pieces += [sound, np.zeros(RATE, np.float32)]
            at += len(sound) + RATE
    _write_sound(path, RATE, np.concatenate(pieces))
    _write_text(path, duration=at / RATE, utterances=about)


def _write_sound(path: Path, rate: int, sound: np.ndarray) -> None:
    channels = 1 if sound.ndim == 1 else sound.shape[1]
    with soundfile.SoundFile(path, "w", rate, channels, "VORBIS" if path.suffix == ".ogg" else "PCM_16") as file:
        for start in range(0, len(sound), rate):  # libsndfile's Vorbis encoder breaks on long writes
            file.write(sound[start : start + rate])


def _write_text(path: Path, **about: Any) -> None:
    path.with_suffix(".json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
