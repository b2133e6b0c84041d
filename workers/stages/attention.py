"""Times of words from Whisper's cross-attention.

They serve every language, also those without an alignment model, and translations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from app.core.params import WhisperOptions
from workers.audio.decode import Samples
from workers.audio.windows import Window
from workers.device.run import Run
from workers.device.threads import count_window_cores
from workers.stages.decoder import FRAMES_PER_SECOND, Decoder
from workers.stages.segments import Segment, Word, finite_or
from workers.stages.sentences import cut_sentences


def time_segments(segments: Iterable[Segment], samples: Samples, decoder: Decoder, run: Run[Any]) -> Iterator[Segment]:
    """Split segments, each the text of one window, into sentences with word times in seconds.

    A segment in whose sound no words are found is not changed.
    """
    for segment in segments:
        window = Window(segment["start"], segment["end"], speech=True)
        features = decoder.extract_features(window, samples)
        with run.turn(count_window_cores(run.slot)):
            (sentences,) = time_batch([segment], decoder.model.encode(features), decoder)
        yield from sentences


def time_batch(segments: list[Segment], encoded: Any, decoder: Decoder) -> list[list[Segment]]:
    """Split each segment into sentences with word times.

    ``encoded`` is the output of the encoder for their windows, in the same order. A segment without words is not changed.
    """
    frames = [max(1, round((segment["end"] - segment["start"]) * FRAMES_PER_SECOND)) for segment in segments]
    # faster-whisper reads the time of a window from its seek, and writes the words into this dictionary
    timed: list[dict[str, Any]] = [
        {"seek": segment["start"] * FRAMES_PER_SECOND, **{name: segment[name] for name in ("start", "end", "tokens")}}  # type: ignore[literal-required]
        for segment in segments
    ]
    marks = (WhisperOptions.prepend_punctuations, WhisperOptions.append_punctuations)  # clients cannot choose them
    decoder.model.add_word_timestamps([[window] for window in timed], decoder.tokenizer, encoded, frames, *marks, 0.0)
    return [_cut_segment(segment, window["words"], decoder) for segment, window in zip(segments, timed, strict=True)]


def _cut_segment(segment: Segment, found: Iterable[Any], decoder: Decoder) -> list[Segment]:
    words = make_words(found, segment)
    if not words:
        return [segment]
    return list(cut_sentences(segment, words, decoder.tokenizer.language_code, decoder.decode_text))


def make_words(found: Iterable[Any], segment: Segment) -> list[Word]:
    """Make the words of a segment, each with the white space before it.

    ``found`` are faster-whisper's, as dictionaries. Their order is kept, and they lie inside the segment.
    """
    least, most = segment["start"], segment["end"]
    words: list[Word] = []
    for word in found:
        least = min(max(finite_or(word["start"], least), least), most)
        end = min(max(finite_or(word["end"], least), least), most)
        words.append(
            Word(word=word["word"], start=least, end=end, probability=float(word["probability"]), speaker=None)
        )
    return words
