"""Synthesize recordings with known words and speaker turns: utterances, joined words, conversations.

Seeds below `TRAINING_SEEDS` make training data, seeds from `HELD_OUT_SEED` on make evaluation data.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import vocabulary
import voices
from voices import RATE

TRAINING_SEEDS = 1_000_000
HELD_OUT_SEED = 10_000_000


@dataclass(frozen=True)
class Word:
    """A spoken word; times in seconds from the start of the recording."""

    text: str
    start: float
    end: float
    voice: str


@dataclass
class Recording:
    """Mono float32 samples at 16 kHz and what is said in them, word by word, in order."""

    language: str
    samples: np.ndarray
    words: list[Word] = field(default_factory=list)

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)

    def turns(self, pause: float = 1.0) -> list[tuple[float, float, str]]:
        """Speaker turns `(start, end, voice)`: words of one voice with less than `pause` seconds between them."""
        found: list[tuple[float, float, str]] = []
        for word in self.words:
            if found and found[-1][2] == word.voice and word.start - found[-1][1] < pause:
                found[-1] = (found[-1][0], word.end, word.voice)
            else:
                found.append((word.start, word.end, word.voice))
        return found


def words_of(language: str, count: int, rng: random.Random) -> list[str]:
    return [rng.choice(vocabulary.WORDS[language]) for _ in range(count)]


def utterance(seed: int, language: str, among: Sequence[str]) -> tuple[str, str, np.ndarray]:
    """`(text, voice, samples)` of one to six words spoken in one breath; the places of the words are unknown."""
    rng = random.Random(seed)
    text = " ".join(words_of(language, rng.choice([1, 2, 3, 3, 4, 4, 5, 6]), rng))
    voice = rng.choice(list(among))
    return text, voice, voices.speak(text, voice, rng)


def script(
    language: str,
    lines: Sequence[tuple[str, Sequence[str]]],
    rng: random.Random,
    pause: tuple[float, float],
    between: tuple[float, float],
) -> Recording:
    """Lines `(voice, words)` spoken word by word.

    `pause` seconds lie between words, `between` seconds between lines and at both ends.
    """
    made = Recording(language, np.zeros(0, np.float32))
    pieces, at = [np.zeros(int(rng.uniform(*between) * RATE), np.float32)], 0
    at = len(pieces[0])
    for voice, line in lines:
        for index, text in enumerate(line):
            sound = voices.speak(text, voice, rng)
            first, last = voices.audible(sound)
            made.words.append(Word(text, (at + first) / RATE, (at + last) / RATE, voice))
            gap = np.zeros(int(rng.uniform(*(between if index == len(line) - 1 else pause)) * RATE), np.float32)
            pieces += [sound, gap]
            at += len(sound) + len(gap)
    made.samples = np.concatenate(pieces)
    return made


def joined(
    seed: int, language: str, among: Sequence[str], count: int, pause: tuple[float, float] = (0.05, 0.4)
) -> Recording:
    """`count` random words of one voice."""
    rng = random.Random(seed)
    return script(language, [(rng.choice(list(among)), words_of(language, count, rng))], rng, pause, (0.2, 0.5))


def conversation(seed: int, language: str, speakers: Sequence[str], seconds: float) -> Recording:
    """Random turns of two to eight words by all `speakers`, never the same twice running, for about `seconds`."""
    rng = random.Random(seed)
    lines: list[tuple[str, list[str]]] = []
    length, order = 0.0, list(speakers)
    rng.shuffle(order)
    while length < seconds or len(lines) < len(order):
        others = [voice for voice in speakers if not lines or voice != lines[-1][0]]
        voice = order[len(lines)] if len(lines) < len(order) else rng.choice(others)
        lines.append((voice, words_of(language, rng.randint(2, 8), rng)))
        length += 0.6 * len(lines[-1][1]) + 0.6
    return script(language, lines, rng, (0.03, 0.2), (0.3, 0.9))


def rttm(recording: Recording, name: str) -> str:
    """The speaker turns in NIST's Rich Transcription Time Marked format."""
    return "".join(
        f"SPEAKER {name} 1 {start:.3f} {end - start:.3f} <NA> <NA> {voice} <NA> <NA>\n"
        for start, end, voice in recording.turns()
    )
