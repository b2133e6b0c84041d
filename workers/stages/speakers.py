"""Assign speakers to segments and words by their times."""

from __future__ import annotations

import itertools
from copy import copy
from typing import Any

from workers.stages.segments import Segment, Word
from workers.stages.tokens import Decode, share_tokens

Turn = tuple[float, float, str]


def assign_speakers(segments: list[Segment], turns: Any, decode: Decode) -> list[Segment]:
    """Assign speakers, and split segments where they change.

    ``turns`` is whisperx's table (start, end, speaker); ``decode`` turns tokens into text. A word belongs to the speaker
    with the longest overlap, or in a gap between turns to the speaker of the nearest turn.
    """
    intervals = [(float(row.start), float(row.end), str(row.speaker)) for row in turns.itertuples()]
    if not intervals:
        return segments
    from whisperx.diarize import assign_word_speakers  # imports pyannote, which takes seconds: only for diarization

    assign_word_speakers(turns, {"segments": segments})
    for segment in segments:
        segment["speaker"] = segment["speaker"] or find_nearest(segment["start"], segment["end"], intervals)
        for word in segment["words"]:
            word["speaker"] = word["speaker"] or find_nearest(word["start"], word["end"], intervals)
        _fill_unplaced(segment)
    return [part for segment in segments for part in _split_by_speaker(segment, decode)]


def find_nearest(start: float, end: float, turns: list[Turn]) -> str:
    """Find the speaker of the nearest turn.

    It compares the ends of turns. whisperx compares their middles, which is wrong for long turns.
    """
    return min(turns, key=lambda turn: max(turn[0] - end, start - turn[1], 0.0))[2]


def _fill_unplaced(segment: Segment) -> None:
    """Assign speakers to words that alignment could not place.

    Such words span the whole segment. They get the speaker of the word before, or of the first placed word.
    """
    words = segment["words"]
    placed = [word for word in words if _is_placed(word, segment)]
    speaker = placed[0]["speaker"] if placed else segment["speaker"]
    for word in words:
        if _is_placed(word, segment):
            speaker = word["speaker"]
        word["speaker"] = speaker


def _is_placed(word: Word, segment: Segment) -> bool:
    return len(segment["words"]) == 1 or (word["start"], word["end"]) != (segment["start"], segment["end"])


def _split_by_speaker(segment: Segment, decode: Decode) -> list[Segment]:
    """Split a segment where the speaker of its words changes.

    A segment without words is not split.
    """
    runs = [list(words) for _, words in itertools.groupby(segment["words"], key=lambda word: word["speaker"])]
    if len(runs) < 2:
        segment["speaker"] = runs[0][0]["speaker"] if runs else segment["speaker"]
        return [segment]
    texts = _cut_text(segment["text"], runs)
    shares = share_tokens(segment["tokens"], texts, decode)
    parts = [_make_part(segment, *of_one) for of_one in zip(runs, texts, shares, strict=True)]
    # together the parts cover the segment, including silence before the first word and after the last
    parts[0]["start"], parts[-1]["end"] = segment["start"], segment["end"]
    return parts


def _make_part(segment: Segment, words: list[Word], text: str, tokens: list[int]) -> Segment:
    part = copy(segment)
    placed = [word for word in words if _is_placed(word, segment)] or words
    part["start"] = min(word["start"] for word in placed)
    part["end"] = max(word["end"] for word in placed)
    part["text"], part["tokens"], part["words"], part["speaker"] = text, tokens, words, words[0]["speaker"]
    return part


def _cut_text(text: str, runs: list[list[Word]]) -> list[str]:
    """Cut ``text`` before the first word of each run.

    If ``text`` does not contain all words in order, join the words of each run instead.
    """
    cuts, at = [], 0
    for words in runs:
        for number, word in enumerate(words):
            found = text.find(word["word"], at)
            if found < 0:
                return [" ".join(word["word"] for word in run) for run in runs]
            if number == 0:
                cuts.append(found)
            at = found + len(word["word"])
    cuts[0] = 0  # text before the first word belongs to the first run
    return [text[start:end].strip() for start, end in itertools.pairwise([*cuts, len(text)])]
