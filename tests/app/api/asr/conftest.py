"""Tasks that end while their client waits."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from app import waiting
from app.core.db import tasks
from tests.app.rows import claimed


def said(text: str, start: float, end: float, speaker: str | None = None, timed: bool = True) -> dict[str, Any]:
    """A segment with words of equal length."""
    forms = text.split()
    step = (end - start) / len(forms)
    words = [
        {
            "word": form,
            "start": round(start + step * number, 3),
            "end": round(start + step * (number + 1), 3),
            "probability": 0.9,
            "speaker": speaker,
        }
        for number, form in enumerate(forms)
    ]
    numbers = {
        "tokens": [1, 2],
        "temperature": 0.0,
        "avg_logprob": -0.1,
        "compression_ratio": 0.7,
        "no_speech_prob": 0.01,
    }
    span = {"id": 0, "seek": 0, "start": start, "end": end, "text": text, "speaker": speaker}
    return span | numbers | {"words": words * timed}


Ending = Callable[..., None]


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> Ending:
    """Let the next task end as soon as its client waits for it: with a result, or with ``failed=(code, message)``."""

    def end(
        result: Any = (), failed: tuple[str, str] | None = None, embeddings: str | None = None, **facts: Any
    ) -> None:
        pending = [True]

        def work(environ: dict[str, Any]) -> bool:
            if pending.pop() if pending else False:
                claim = claimed()
                warnings = json.loads(tasks.Task.get(tasks.Task.uuid == claim.uuid).warnings)
                if failed:
                    assert tasks.fail(claim, *failed, warnings, 0.1)
                else:
                    text = json.dumps(result, ensure_ascii=False)
                    assert tasks.complete(claim, "json", text, warnings, 0.1, embeddings, **facts)
            return False

        monkeypatch.setattr(waiting, "is_client_gone", work)

    return end
