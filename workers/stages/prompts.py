"""Fit the client's texts into the decoder's context.

Whisper decodes a window in a context of 448 tokens. initial_prompt and hotwords stand before the transcript, prefix is
its beginning; what they take is missing for the text.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from app.core.params import WhisperOptions

SPECIAL_TOKENS = 8  # upper limit for the special tokens of a prompt: language, task, timestamps
WORD = re.compile(r"\S+\s*")

P = TypeVar("P", bound=WhisperOptions)


def fit_prompts(params: P, tokenizer: Any, context: int) -> tuple[P, list[str]]:
    """Shorten what is too long for ``context`` tokens.

    The texts leave a quarter of the context for the transcript. The end of initial_prompt is kept, as Whisper does with
    the text before a window (Radford et al. 2022, section 2.3); of hotwords and prefix the beginning. Returns the
    parameters to decode with, and a warning for each that was shortened. ``tokenizer`` is a tokenizers.Tokenizer.
    """

    def count(text: str) -> int:
        # faster-whisper encodes the texts like this.
        return len(tokenizer.encode(" " + text.strip(), add_special_tokens=False).ids)

    most = {"initial_prompt": context // 2 - 1, "hotwords": context // 4, "prefix": context // 4}
    is_sequential = params.batch_size == 1
    if not is_sequential:
        del most["prefix"]  # without effect
    elif params.prefix:
        del most["hotwords"]  # without effect
    warnings, taken = [], dict.fromkeys(("initial_prompt", "hotwords", "prefix"), 0)
    for name, limit in most.items():
        text = getattr(params, name)
        if not text:
            continue
        tokens = count(text)
        if tokens > limit:
            kept = _shorten(text, limit, count, from_end=name == "initial_prompt")
            warnings.append(f"{name} has {tokens} tokens; the maximum is {limit}. {_describe_kept(name, kept)}")
            shortened: Any = {name: kept or None}
            params = replace(params, **shortened)
            tokens = count(kept)
        taken[name] = tokens
    carries_text = is_sequential and params.condition_on_previous_text
    before = most["initial_prompt"] if carries_text else taken["initial_prompt"]
    room = context - before - max(taken["hotwords"], taken["prefix"]) - SPECIAL_TOKENS
    if params.max_new_tokens and params.max_new_tokens > room:
        say = f"max_new_tokens is {params.max_new_tokens}; with these prompts, the maximum is {room}, which was used."
        warnings.append(say)
        params = replace(params, max_new_tokens=room)
    return params, warnings


def _shorten(text: str, limit: int, count: Callable[[str], int], from_end: bool) -> str:
    """Keep as many whole words as ``limit`` tokens hold.

    A word that is too long on its own is cut between characters; that is also every text of a script without spaces.
    """
    for pieces in (WORD.findall(text), list(text.strip())):
        most = bisect_right(range(len(pieces) + 1), limit, key=lambda n: count(_join(pieces, n, from_end))) - 1
        if most > 0:
            return _join(pieces, most, from_end)
    return ""


def _join(pieces: Sequence[str], number: int, from_end: bool) -> str:
    kept = pieces[len(pieces) - number :] if from_end else pieces[:number]
    return "".join(kept).strip(" \t\r\n,;")


def _describe_kept(name: str, kept: str) -> str:
    if not kept:
        return "It was not used."
    if name == "initial_prompt":
        return f"Only its end was used, from {kept.split()[0][:40]!r} on."
    return f"Only its beginning was used, up to {kept.split()[-1][-40:]!r}."
