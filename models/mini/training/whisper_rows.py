"""Target tokens of the mini Whisper's decoder for a window, and the place of each in the sound."""

import random
from dataclasses import dataclass, field

import vocabulary
from tokenizers import Tokenizer
from whisper_windows import Phrase, Window

PROMPTED, TRANSLATED, NEW_SEGMENT = 0.25, 0.33, 0.25  # shares of rows; seconds of pause
SEGMENT_SECONDS, FIRST_STAMP = 8.0, 1.0  # the loaders allow no first timestamp later than that


@dataclass
class Row:
    """`tokens`; those after `start` are targets.

    `heard[i] = (index, low, high)`: that token's sound lies there, in seconds.
    """

    tokens: list[int]
    start: int
    heard: list[tuple[int, float, float]] = field(default_factory=list)


class Rows:
    """Makes rows; owns the token numbers."""

    def __init__(self, tokenizer: Tokenizer, seed: int) -> None:
        self.rng = random.Random(seed)
        self.size = tokenizer.get_vocab_size()
        self.words = {word: tokenizer.encode(" " + word).ids[0] for word in vocabulary.ALL}
        named = {
            name: tokenizer.token_to_id(f"<|{name}|>")
            for name in ("endoftext", "startoftranscript", "startofprev", "nospeech", "notimestamps")
        }
        self.end, self.transcript, self.previous, self.no_speech, self.no_stamps = named.values()
        self.control = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("en", "de", "transcribe", "translate")}
        self.stamps = tokenizer.token_to_id("<|0.00|>")

    def stamp(self, seconds: float) -> int:
        return self.stamps + min(1500, max(0, round(seconds * 50)))

    def row(self, window: Window, stamped: bool) -> Row:
        rng = self.rng
        translate = window.language == "de" and rng.random() < TRANSLATED
        tokens = self._prompt("en" if translate else window.language, stamped) if rng.random() < PROMPTED else []
        row = Row(tokens, len(tokens))
        row.tokens += [
            self.transcript,
            self.control[window.language],
            self.control["translate" if translate else "transcribe"],
        ]
        if stamped:
            self._stamped(row, window, translate)
        else:
            row.tokens.append(self.no_stamps)
            self._say(row, window.words, translate)
        row.tokens.append(self.end)
        return row

    def _say(self, row: Row, words: list[tuple[str, float, float]], translate: bool) -> None:
        for word, low, high in words:
            row.heard.append((len(row.tokens), low, high))
            row.tokens.append(self.words[vocabulary.TRANSLATIONS[word] if translate else word])

    def _mark(self, row: Row, seconds: float, at_edge: bool = True) -> None:
        if at_edge:
            row.heard.append((len(row.tokens), max(0.0, seconds - 0.1), seconds + 0.1))
        row.tokens.append(self.stamp(seconds))

    def _stamped(self, row: Row, window: Window, translate: bool) -> None:
        if not window.words:
            return self._mark(row, 0, at_edge=False)
        segments, cut = _segments(window.phrases)
        for index, (start, end, words, _) in enumerate(segments):
            late = start > FIRST_STAMP
            if index == 0 and (late or self.rng.random() < 0.15):
                self._mark(row, FIRST_STAMP if late and self.rng.random() < 0.8 else 0, at_edge=False)
            else:
                self._mark(row, start)
            self._say(row, words, translate)
            self._mark(row, end)
        if cut is not None:
            self._mark(row, cut if segments else min(cut, FIRST_STAMP), at_edge=bool(segments))
        return None

    def _prompt(self, language: str, stamped: bool) -> list[int]:
        """Random words as previous text; with timestamps now and then, as the loaders hand it on."""
        rng = self.rng
        count = rng.randint(1, 12) if rng.random() < 0.6 else rng.randint(10, 40)
        words = [self.words[rng.choice(vocabulary.WORDS[language])] for _ in range(count)]
        if not stamped or rng.random() < 0.5:
            return [self.previous, *words]
        tokens, time = [self.previous], 0.0
        for index, word in enumerate(words):
            if index == 0 or rng.random() < 0.3:
                tokens += [self.stamp(time)] if index else []
                time += rng.uniform(0, 1.2)
                tokens.append(self.stamp(time))
            tokens.append(word)
            time += rng.uniform(0.3, 0.8)
        return [*tokens, self.stamp(time)]


def _segments(
    phrases: list[Phrase],
) -> tuple[list[tuple[float, float, list[tuple[str, float, float]], str]], float | None]:
    """Phrases joined into segments, and where a last one begins that the window cuts."""
    found: list[tuple[float, float, list[tuple[str, float, float]], str]] = []
    for phrase in phrases:
        if not phrase.complete:
            return found, phrase.start
        near = found and phrase.start - found[-1][1] < NEW_SEGMENT and phrase.voice == found[-1][3]
        if near and phrase.end - found[-1][0] <= SEGMENT_SECONDS:
            start, _, words, voice = found[-1]
            found[-1] = (start, phrase.end, words + phrase.words, voice)
        else:
            found.append((phrase.start, phrase.end, list(phrase.words), phrase.voice))
    return found, None
