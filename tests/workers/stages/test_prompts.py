"""Texts that are too long for the decoder are cut where it does least harm, and a warning says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tokenizers import Tokenizer

from app.core.params import TranscriptionParams
from tests.service import MINI
from workers.stages.prompts import fit_prompts

CONTEXT = 448
GLOSSARY = "Names: " + ", ".join(f"Grünwald{n}" for n in range(300))

Fit = Callable[..., tuple[TranscriptionParams, list[str]]]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MINI / "whisper" / "tokenizer.json"))


@pytest.fixture
def fit(tokenizer: Tokenizer, parameters: Callable[..., TranscriptionParams]) -> Fit:
    return lambda **asked: fit_prompts(parameters(**asked), tokenizer, CONTEXT)


def count(tokenizer: Tokenizer, text: str | None) -> int:
    return len(tokenizer.encode(f" {text}", add_special_tokens=False).ids)


@pytest.mark.parametrize("batch_size", [1, 8])
def test_texts_that_fit_are_unchanged(fit: Fit, batch_size: int) -> None:
    asked: dict[str, Any] = {"initial_prompt": " Hello, world; ", "hotwords": "music", "max_new_tokens": 50}
    params, warnings = fit(**asked, batch_size=batch_size)
    assert {name: getattr(params, name) for name in asked} == asked and warnings == []


def test_end_of_a_long_prompt_is_kept_in_whole_words(fit: Fit, tokenizer: Tokenizer) -> None:
    params, (warning,) = fit(initial_prompt=GLOSSARY)
    assert params.initial_prompt and GLOSSARY.endswith(f", {params.initial_prompt}")
    assert 200 < count(tokenizer, params.initial_prompt) <= CONTEXT // 2 - 1
    before = GLOSSARY[: -len(params.initial_prompt)].split()[-1]
    assert count(tokenizer, f"{before} {params.initial_prompt}") > CONTEXT // 2 - 1, "one more word would have fitted"
    assert f"from {params.initial_prompt.split()[0]!r} on" in warning and "maximum is 223" in warning


@pytest.mark.parametrize(("name", "batch_size"), [("hotwords", 8), ("hotwords", 1), ("prefix", 1)])
def test_beginning_of_long_hotwords_and_prefix_is_kept(
    fit: Fit, tokenizer: Tokenizer, name: str, batch_size: int
) -> None:
    params, (warning,) = fit(**{name: GLOSSARY}, batch_size=batch_size)
    kept = getattr(params, name)
    assert GLOSSARY.startswith(kept) and GLOSSARY[len(kept)] == ","
    assert 90 < count(tokenizer, kept) <= CONTEXT // 4
    assert f"up to {kept.split()[-1]!r}" in warning


def test_all_long_texts_together_leave_room_for_the_transcript(fit: Fit, tokenizer: Tokenizer) -> None:
    params, warnings = fit(initial_prompt=GLOSSARY, hotwords=GLOSSARY, max_new_tokens=440)
    assert [warning.split()[0] for warning in warnings] == ["initial_prompt", "hotwords", "max_new_tokens"]
    used = count(tokenizer, params.initial_prompt) + count(tokenizer, params.hotwords)
    assert params.max_new_tokens and CONTEXT // 4 - 10 < params.max_new_tokens < CONTEXT - used


@pytest.mark.parametrize("text", ["字" * 3000, "x" * 9000, "🎤" * 3000])
def test_text_without_spaces_is_cut_between_characters(fit: Fit, tokenizer: Tokenizer, text: str) -> None:
    params, warnings = fit(initial_prompt=text, hotwords=text)
    assert params.initial_prompt and set(params.initial_prompt) == set(text)
    assert 50 < count(tokenizer, params.initial_prompt) <= CONTEXT // 2 - 1
    assert params.hotwords and 25 < count(tokenizer, params.hotwords) <= CONTEXT // 4
    assert len(warnings) == 2 and all(len(warning) < 200 for warning in warnings)


def test_text_without_effect_is_not_measured(fit: Fit) -> None:
    assert fit(prefix=GLOSSARY, batch_size=8) == (fit(prefix=GLOSSARY, batch_size=8)[0], [])
    params, warnings = fit(prefix="hello", hotwords=GLOSSARY, batch_size=1)
    assert params.hotwords == GLOSSARY and warnings == []


def test_white_space_alone_needs_no_warning(fit: Fit) -> None:
    assert fit(initial_prompt=" \n" * 2000)[1] == []
