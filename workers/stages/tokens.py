"""Divide the tokens of a text among its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator

Decode = Callable[[list[int]], str]
INCOMPLETE = "\N{REPLACEMENT CHARACTER}"  # what the first bytes of a character decode to


def share_tokens(tokens: list[int], texts: list[str], decode: Decode) -> list[list[int]]:
    """Divide ``tokens`` among ``texts``.

    Together the texts are what the tokens decode to, apart from white space.
    """
    if len(texts) < 2:
        return [list(tokens) for _ in texts]
    shares: list[list[int]] = [[] for _ in texts]
    ends = [_count_letters(" ".join(texts[: number + 1])) for number in range(len(texts))]
    text = 0
    for token, before in zip(tokens, _count_before(tokens, decode), strict=True):
        while text < len(texts) - 1 and before >= ends[text]:
            text += 1
        shares[text].append(token)
    return shares


def _count_before(tokens: list[int], decode: Decode) -> Iterator[int]:
    """Count the letters before each token.

    A token may be a part of a character only, so tokens are decoded together until their text is complete.
    """
    complete, first = 0, 0
    for count in range(len(tokens)):
        text = decode(tokens[first:count]) if count > first else ""
        letters = complete + _count_letters(text)
        if not text.endswith(INCOMPLETE):
            complete, first = letters, count
        yield letters


def _count_letters(text: str) -> int:
    return len("".join(text.split()))
