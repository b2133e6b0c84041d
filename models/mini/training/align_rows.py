"""Training rows for the aligner: joined words with known places, and fluent utterances."""

import dataclasses
import random
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import scenes
import torch
import vocabulary
import voices
from music import music

CHARACTERS = "|'abcdefghijklmnopqrstuvwxyzäöüß"
VOCABULARY = {"[PAD]": 0, "[UNK]": 1, **{character: number for number, character in enumerate(CHARACTERS, 2)}}
BLANK = VOCABULARY["[PAD]"]
RENDITIONS = 3  # of each word by each voice
UTTERANCES = 1500


@dataclasses.dataclass(frozen=True)
class Speech:
    """Material for rows: single words by (language, voice), utterances with their text, mono music."""

    words: dict[tuple[str, str], list[tuple[str, np.ndarray]]]
    utterances: list[tuple[str, np.ndarray]]
    music: list[np.ndarray]


def speech(renditions: int = RENDITIONS, utterances: int = UTTERANCES, words: int | None = None) -> Speech:
    """Synthesize the material with training seeds; `words` limits the words of each voice."""
    keys = [(language, voice) for language, among in voices.TRAINING.items() for voice in among]
    wanted = [(key, word) for key in keys for word in vocabulary.WORDS[key[0]][:words] for _ in range(renditions)]
    seeds = range(len(wanted), len(wanted) + utterances)
    with ThreadPoolExecutor(2) as pool:  # each waits for a synthesizer
        spoken = list(
            pool.map(
                lambda seed, item: voices.speak(item[1], item[0][1], random.Random(seed)), range(len(wanted)), wanted
            )
        )
        said = list(pool.map(_utterance, seeds))
    single: dict[tuple[str, str], list[tuple[str, np.ndarray]]] = {key: [] for key in keys}
    for (key, word), sound in zip(wanted, spoken, strict=True):
        single[key].append((word, sound))
    notes = np.random.default_rng(0)
    return Speech(single, said, [music(notes, 10.0, voices.RATE).mean(0) for _ in range(60)])


def _utterance(seed: int) -> tuple[str, np.ndarray]:
    language = "de" if seed % 3 == 0 else "en"
    text, _, samples = scenes.utterance(seed, language, voices.TRAINING[language])
    return text, samples


def joined_row(data: Speech, length: int, rng: random.Random) -> tuple[np.ndarray, list[scenes.Word]]:
    """Join words of one or several voices in `length` samples; return samples and places."""
    language = rng.choice(list(vocabulary.WORDS))
    voice, change = any_voice(language, rng), rng.choice([0.0, 0.0, 0.0, 0.3])
    pause = rng.choice([(-0.03, 0.05), (0.05, 0.4), (0.05, 0.4), (0.05, 0.4), (0.05, 1.5)])
    pitch, until = rng.uniform(0.92, 1.08), length * rng.choice([1.0, 1.0, 1.0, rng.random()])
    row, words = np.zeros(length, np.float32), []
    at = int(rng.uniform(0, 0.6) * voices.RATE)
    while True:
        if rng.random() < change:
            voice = any_voice(language, rng)
        text, sound = rng.choice(data.words[language, voice])
        sound = stretched(sound, pitch) * rng.uniform(0.5, 1.0)
        if at + len(sound) > until:
            return row, words
        row[at : at + len(sound)] += sound
        first, last = voices.audible(sound)
        words.append(scenes.Word(text, (at + first) / voices.RATE, (at + last) / voices.RATE, voice))
        at += len(sound) + int(rng.uniform(*pause) * voices.RATE)


def any_voice(language: str, rng: random.Random) -> str:
    """Draw a training voice; the few of flite, made from people, as often as the many of espeak-ng."""
    groups = [voices.ESPEAK[language], voices.FLITE] if language == "en" else [voices.ESPEAK[language]]
    return rng.choice(rng.choice(groups))


def fluent_row(data: Speech, length: int, rng: random.Random) -> tuple[np.ndarray, str]:
    """Place one utterance in `length` samples; return samples and text."""
    row = np.zeros(length, np.float32)
    while True:
        text, sound = rng.choice(data.utterances)
        sound = stretched(sound, rng.uniform(0.92, 1.08))
        if len(sound) <= length:
            at = rng.randint(0, length - len(sound))
            row[at : at + len(sound)] = sound
            return row, text


def stretched(sound: np.ndarray, factor: float) -> np.ndarray:
    """Play `sound` `factor` times as fast."""
    return np.interp(np.arange(0, len(sound) - 1, factor), np.arange(len(sound)), sound).astype(np.float32)


def recorded(row: np.ndarray, data: Speech, rng: random.Random) -> np.ndarray:
    """Change the level of `row`, and add noise or music."""
    noise = np.random.default_rng(rng.getrandbits(32))
    if rng.random() < 0.6:
        row = row + noise.standard_normal(len(row), np.float32) * np.float32(10 ** rng.uniform(-5, -1.7))
    if rng.random() < 0.15:
        row = row + np.resize(rng.choice(data.music), len(row)) * np.float32(10 ** rng.uniform(-2.2, -0.8))
    return row * np.float32(10 ** rng.uniform(-1.2, 0.15))


def frame_targets(words: list[scenes.Word], frames: int, seconds: float) -> torch.Tensor:
    """The target token of each frame, as ids.

    Frame i stands for the time i * seconds / frames, as in whisperx.
    """
    targets = torch.full((frames,), BLANK)
    for word in words:
        first, after = (round(time * frames / seconds) for time in (word.start, word.end))
        places = np.linspace(first, max(after - 1, first + len(word.text) - 1), len(word.text)).round().astype(int)
        for place, character in [*zip(places, word.text, strict=True), (places[-1] + 1, "|")]:
            if place < frames:
                targets[place] = VOCABULARY[character]
    return targets
