"""Divide the tokens of a text among its parts."""

from __future__ import annotations

from collections.abc import Callable

Decode = Callable[[list[int]], str]


def share_tokens(tokens: list[int], texts: list[str], decode: Decode) -> list[list[int]]:
    """Divide ``tokens`` among ``texts``.

    Together the texts are what the tokens decode to, apart from white space.
    """
    shares: list[list[int]] = [[] for _ in texts]
    ends = [_count_letters(" ".join(texts[: number + 1])) for number in range(len(texts))]
    text = 0
    for count, token in enumerate(tokens):
        # decode the whole prefix: a token may be part of a multi-byte character
        before = _count_letters(decode(tokens[:count]))
        while text < len(texts) - 1 and before >= ends[text]:
            text += 1
        if texts:
            shares[text].append(token)
    return shares


def _count_letters(text: str) -> int:
    return len("".join(text.split()))
