"""Training windows of 4 to 30 s for Whisper, with the place of each word."""

import random
import subprocess
from dataclasses import dataclass

import numpy as np
import vocabulary
import voices
from corpus import Utterance
from music import music
from voices import RATE

FULL = 30  # seconds
SHORT = (4, 5, 6, 8)
COUNTS = (1, 2, 3, 3, 4, 6, 6, 8, 12, 12, 16, 20, 25, 30, 40)  # words in a window, before it is full
PAUSES = ((0.05, 0.4), (0.05, 0.4), (0.05, 1.0), (0.3, 2.0), (0.02, 0.15), (0.0, 0.1))
WORDLESS, OVERFLOWING, SINGLE_WORDS, MANY_VOICES = 0.08, 0.27, 0.45, 0.5  # shares of windows


@dataclass
class Phrase:
    """Words `(text, start, end)` spoken in one breath, in seconds from the window's start.

    Not `complete` when the window cuts it.
    """

    start: float
    end: float
    complete: bool
    words: list[tuple[str, float, float]]
    voice: str


@dataclass
class Window:
    """`samples` float32 at 16 kHz, padded with zeros after `content` samples."""

    language: str
    samples: np.ndarray
    content: int
    phrases: list[Phrase]

    @property
    def words(self) -> list[tuple[str, float, float]]:
        return [word for phrase in self.phrases for word in phrase.words]


class Windows:
    """An endless supply of windows, drawn from utterances with a seed."""

    def __init__(self, utterances: list[Utterance], seed: int) -> None:
        self.rng, self.nrng = random.Random(seed), np.random.default_rng(seed)
        self.music = [music(self.nrng, FULL, RATE).mean(0).astype(np.float16) for _ in range(60)]
        self.durations = _durations()
        self.pool: dict[tuple[str, str, bool], list[Utterance]] = {}
        for utterance in utterances:
            self.pool.setdefault((utterance.language, utterance.voice, False), []).append(utterance)
            if len(utterance.words) == 1:
                self.pool.setdefault((utterance.language, utterance.voice, True), []).append(utterance)

    def draw(self, full: bool) -> Window:
        while True:
            limit = (FULL if full else self.rng.choice(SHORT)) * RATE
            language = self.rng.choice(["en", "en", "de"])
            window = (
                self._wordless(language, limit) if self.rng.random() < WORDLESS else self._spoken(language, limit, full)
            )
            if window:
                return window

    def _wordless(self, language: str, limit: int) -> Window:
        rng, samples = self.rng, np.zeros(limit, np.float32)
        content = limit if rng.random() < 0.6 else int(rng.uniform(RATE, limit))
        kind = rng.random()
        if kind < 0.55:
            samples[:content] = rng.choice(self.music)[:content] * 10 ** rng.uniform(-2, -0.1)
        elif kind < 0.8:
            samples[:content] = self._noise(content) * rng.choice([1, 1, 5, 20])
        return Window(language, np.clip(samples, -1, 1), content, [])

    def _spoken(self, language: str, limit: int, full: bool) -> Window | None:
        rng = self.rng
        overflowing = full and rng.random() < OVERFLOWING
        phrases, samples = self._phrases(language, limit, overflowing)
        if not any(phrase.complete for phrase in phrases):
            return None
        content = limit if overflowing else self._content(phrases, limit)
        samples *= 10 ** rng.uniform(-1, 0.3)
        if rng.random() < 0.5:
            samples[:content] += self._noise(content)
        if rng.random() < 0.06:
            samples[:content] += rng.choice(self.music)[:content] * abs(samples).max() * 10 ** rng.uniform(-2, -1)
        samples[content:] = 0
        return Window(language, np.clip(samples, -1, 1), content, phrases)

    def _content(self, phrases: list[Phrase], limit: int) -> int:
        """Where a file would end: soon after the last word, or seconds later."""
        tail = self.rng.uniform(0, 0.8) if self.rng.random() < 0.75 else self.rng.uniform(0.5, 6)
        return max(RATE // 2, min(limit, int((phrases[-1].end + tail) * RATE)))

    def _phrases(self, language: str, limit: int, overflowing: bool) -> tuple[list[Phrase], np.ndarray]:
        rng = self.rng
        samples = np.zeros(limit, np.float32)
        target = 999 if overflowing else rng.choice(COUNTS)
        single, many, pauses = rng.random() < SINGLE_WORDS, rng.random() < MANY_VOICES, rng.choice(PAUSES)
        cast = rng.choices(voices.TRAINING[language], k=rng.choice([2, 2, 3, 5]) if many else 1)
        level = {voice: 10 ** rng.uniform(-0.4, 0.1) for voice in cast}
        at, voice, count, phrases = self._first(overflowing), cast[0], 0, []
        while count < target and at < limit:
            voice = rng.choice(cast) if many and rng.random() < 0.5 else voice
            utterance = rng.choice(self.pool[language, voice, single])
            sound = self._at_another_speed(utterance.samples)
            if not overflowing and (at + len(sound) > limit or count + len(utterance.words) > target + 3):
                break
            start, end = max(0, at), min(limit, at + len(sound))
            if end > start:
                samples[start:end] += sound[start - at : end - at] * level[voice] * 10 ** rng.uniform(-0.1, 0.1)
            phrase = self._placed(utterance, at, len(sound), limit)
            if phrase.words or 0 < at < limit:
                phrases.append(phrase)
            count += len(phrase.words)
            at += len(sound) + int(rng.uniform(*pauses) * RATE)
        return phrases, samples

    def _first(self, overflowing: bool) -> int:
        """The first sample of speech; before the window where speech has begun earlier."""
        if overflowing and self.rng.random() < 0.5:
            return -int(self.rng.uniform(0, 1) * RATE)
        return int((self.rng.uniform(0, 0.5) if self.rng.random() < 0.8 else self.rng.uniform(0.5, 3)) * RATE)

    def _at_another_speed(self, samples: np.ndarray) -> np.ndarray:
        sound = samples.astype(np.float32) / 32767
        if self.rng.random() < 0.7:
            return sound
        length = int(len(sound) / self.rng.uniform(0.92, 1.08))
        return np.interp(np.linspace(0, len(sound) - 1, length), np.arange(len(sound)), sound).astype(np.float32)

    def _placed(self, utterance: Utterance, at: int, length: int, limit: int) -> Phrase:
        """Place the words of an utterance in proportion to espeak-ng's durations of the single words."""
        edges = np.cumsum([0.0] + [self.durations[utterance.language, word] for word in utterance.words])
        edges = (at + edges / edges[-1] * length) / RATE
        last = limit / RATE
        words = [
            (word, max(0.0, start), min(last, end))
            for word, start, end in zip(utterance.words, edges, edges[1:], strict=False)
            if start + 0.35 * (end - start) >= 0 and start + 0.7 * (end - start) <= last  # most of it can be heard
        ]
        return Phrase(
            max(0.0, edges[0]), min(last, edges[-1]), bool(words) and edges[-1] <= last, words, utterance.voice
        )

    def _noise(self, count: int) -> np.ndarray:
        made, kind = self.nrng.standard_normal(count).astype(np.float32), self.rng.random()
        if kind < 0.3:
            made = np.convolve(made, np.ones(self.rng.choice([4, 16, 64]), np.float32) / 8, "same")
        elif kind < 0.4:  # mains hum
            made += 3 * np.sin(2 * np.pi * self.rng.choice([50, 60, 100]) * np.arange(count, dtype=np.float32) / RATE)
        return made.astype(np.float32) * 10 ** self.rng.uniform(-5, -2.3)


def _durations() -> dict[tuple[str, str], float]:
    """Relative durations of the single words."""
    found = {}
    for language, voice in (("en", "en-us"), ("de", "de")):
        for word in vocabulary.WORDS[language]:
            command = ["espeak-ng", "-v", voice, "--stdout", word]
            sound = subprocess.run(command, check=True, capture_output=True).stdout[44:]
            loud = np.flatnonzero(abs(np.frombuffer(sound[: len(sound) // 2 * 2], np.int16).astype(np.int32)) > 300)
            found[language, word] = float(loud[-1] - loud[0]) + 1000
    return found
