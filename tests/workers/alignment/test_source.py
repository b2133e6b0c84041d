"""The code of whisperx that our alignment follows has not changed."""

from __future__ import annotations

import hashlib
import inspect
from typing import Any

import pytest
import whisperx.alignment
import whisperx.utils

from workers.alignment.alphabet import WITHOUT_SPACES

FOLLOWED = {  # as in whisperx 3.8.6
    whisperx.alignment.align: "fa2456c2632b",
    whisperx.alignment.get_trellis: "cb57769c2b9c",
    whisperx.alignment.backtrack: "312ce2d5366f",
    whisperx.alignment.merge_repeats: "5a5bd7958c6f",
    whisperx.utils.interpolate_nans: "18769849853d",
}


@pytest.mark.parametrize("function", FOLLOWED, ids=lambda function: str(function.__name__))
def test_whisperx_has_the_code_that_ours_follows(function: Any) -> None:
    fingerprint = hashlib.sha256(inspect.getsource(function).encode()).hexdigest()[:12]
    assert fingerprint == FOLLOWED[function], (
        "compare its results with those of workers/alignment, then update FOLLOWED"
    )


def test_same_languages_have_no_spaces() -> None:
    assert list(WITHOUT_SPACES) == whisperx.alignment.LANGUAGES_WITHOUT_SPACES
