"""Measure the mini Whisper with the pipeline of the service, on held-out utterances.

python evaluate_whisper.py [UTTERANCES_A_LINE]
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jiwer
import numpy as np
import product
import scenes
import vocabulary
import voices
from music import music
from voices import RATE

UTTERANCES = 100
LINES = {
    "en, espeak-ng voices": ("en", voices.ESPEAK["en"]),
    "en, flite voices": ("en", voices.FLITE),
    "de, espeak-ng voices": ("de", voices.ESPEAK["de"]),
    "en, voices never heard": ("en", voices.HELD_OUT["en"]),
    "de, voices never heard": ("de", voices.HELD_OUT["de"]),
}
WORDLESS_SECONDS = (1, 3, 5, 10, 20, 35)


def figures(models: Path = product.MINI, utterances: int = UTTERANCES) -> dict[str, float]:
    """Word error rates, shares of right languages and translated words, and words invented without speech."""
    found: dict[str, float] = {}
    languages: list[bool] = []
    for number, (line, (language, among)) in enumerate(LINES.items()):
        said = _spoken(language, among, number, utterances)
        heard = [product.transcribe(sound, models, word_timestamps=False) for _, sound in said]
        languages += [h.language == language for h in heard]
        found[f"WER, {line}"] = jiwer.wer([text for text, _ in said], [h.text for h in heard])
    found["WER, training voices"] = np.mean([found[f"WER, {line}"] for line in list(LINES)[:3]]).item()
    found["WER, voices never heard"] = np.mean([found[f"WER, {line}"] for line in list(LINES)[3:]]).item()
    found["language right"] = float(np.mean(languages))
    found["German to English, words right"] = 1 - _translation_errors(models, utterances)
    for name, sound in _wordless().items():
        found[f"words in {name}"] = len(" ".join(product.transcribe(s, models, lang="en").text for s in sound).split())
    for count in (12, 25):
        found[f"WER, {count} words in one recording"] = _joined_errors(models, count, utterances // 8)
    return found


def _spoken(language: str, among: list[str] | tuple[str, ...], number: int, count: int) -> list[tuple[str, np.ndarray]]:
    """Texts and recordings: an utterance with short silence before and after."""
    first = scenes.HELD_OUT_SEED + 100_000 * number
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda seed: scenes.utterance(seed, language, among), range(first, first + count)))
    edge = np.zeros(RATE // 4, np.float32)
    return [(text, np.concatenate([edge, sound, edge])) for text, _, sound in made]


def _translation_errors(models: Path, utterances: int) -> float:
    said = _spoken("de", voices.ESPEAK["de"], len(LINES), utterances)
    heard = [product.transcribe(sound, models, lang="de", is_translate=True).text for _, sound in said]
    return jiwer.wer([" ".join(vocabulary.translated(text.split())) for text, _ in said], heard)


def _joined_errors(models: Path, words: int, count: int) -> float:
    seeds = range(scenes.HELD_OUT_SEED + 900_000, scenes.HELD_OUT_SEED + 900_000 + max(3, count))
    said = [scenes.joined(seed, "en", voices.TRAINING["en"], words) for seed in seeds]
    return jiwer.wer(
        [s.text for s in said], [product.transcribe(s.samples, models, word_timestamps=False).text for s in said]
    )


def _wordless() -> dict[str, list[np.ndarray]]:
    rng = np.random.default_rng(scenes.HELD_OUT_SEED)
    return {
        "silence": [np.zeros(s * RATE, np.float32) for s in WORDLESS_SECONDS],
        "faint noise": [rng.standard_normal(s * RATE).astype(np.float32) * 1e-3 for s in WORDLESS_SECONDS],
        "noise": [rng.standard_normal(s * RATE).astype(np.float32) * 0.05 for s in WORDLESS_SECONDS],
        "music": [music(rng, s, RATE).mean(0) * 0.5 for s in WORDLESS_SECONDS],
    }


if __name__ == "__main__":
    for name, value in figures(utterances=int(sys.argv[1]) if len(sys.argv) > 1 else UTTERANCES).items():
        print(f"{name:45s} {value:.3f}")
