"""Each part of a text gets its own tokens, in one pass over them."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from workers.stages.tokens import share_tokens

TEXT = {1: " hello", 2: " world.", 3: " Good", 4: " day", 5: "."}


def decode(tokens: list[int]) -> str:
    return "".join(TEXT[token] for token in tokens)


def decode_bytes(tokens: list[int]) -> str:
    """As Whisper's tokenizer does: a token may be a part of a character."""
    return bytes(tokens).decode(errors="replace")


def share_slowly(tokens: list[int], texts: list[str]) -> list[list[int]]:
    """Decode all tokens before each one: a text begins as soon as the letters of the texts before it are complete."""
    ends = [len("".join("".join(texts[: number + 1]).split())) for number in range(len(texts) - 1)]
    shares: list[list[int]] = [[] for _ in texts]
    before = 0
    for count, token in enumerate(tokens):
        before = max(before, len("".join(decode_bytes(tokens[:count]).split())))
        shares[sum(before >= end for end in ends)].append(token)
    return shares


def test_each_sentence_gets_its_own_tokens() -> None:
    assert share_tokens([1, 2, 3, 4, 5], ["hello world.", "Good day."], decode) == [[1, 2], [3, 4, 5]]


def test_one_sentence_keeps_all_tokens() -> None:
    assert share_tokens([1, 2, 3], ["hello world. Good"], decode) == [[1, 2, 3]]


def test_no_sentence_gets_no_tokens() -> None:
    assert share_tokens([1, 2], [], decode) == []


@settings(max_examples=1000, deadline=None)
@example(content=b"\xc2\xa0\x00", cuts=[2])  # a space of two bytes: the first one alone counts as a letter
@given(
    st.one_of(st.text(max_size=40).map(str.encode), st.binary(max_size=40)), st.lists(st.integers(0, 40), max_size=5)
)
def test_shares_are_those_of_decoding_every_beginning(content: bytes, cuts: list[int]) -> None:
    tokens = list(content)
    text = decode_bytes(tokens)
    bounds = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    texts = [text[first:last].strip() for first, last in zip(bounds, bounds[1:], strict=False)]
    assert share_tokens(tokens, texts, decode_bytes) == share_slowly(tokens, texts)


def test_tokens_are_decoded_about_once() -> None:
    decoded: list[int] = []

    def count(tokens: list[int]) -> str:
        decoded.append(len(tokens))
        return decode(tokens)

    share_tokens([1, 2, 3, 4, 5] * 40, ["hello world. Good day."] * 40, count)
    assert sum(decoded) <= 200
