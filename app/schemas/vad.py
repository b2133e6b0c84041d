"""The parameters of POST /vad, which are also those of a transcription's vad_filter: where Silero hears speech."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import fields, validate

from app.schemas.fields import Number, Whole
from app.schemas.parameters import Parameters

MOST = 2**31 - 1


class VadParameters(Parameters):
    """What counts as speech, and how stretches of it are divided."""

    threshold = Number(
        load_default=0.5, validate=validate.Range(0, 1), metadata={"description": "Speech above this probability."}
    )
    min_speech_duration_ms = Whole(
        load_default=250, validate=validate.Range(0, MOST), metadata={"description": "Drop speech shorter than this."}
    )
    max_speech_duration_s = Number(
        load_default=lambda: math.inf,  # no default in the OpenAPI document: infinity is not a number to JSON
        endless=True,
        validate=validate.Range(0, min_inclusive=False),
        metadata={"description": "Split speech longer than this many seconds; left out, or `inf`, it is never split."},
    )
    min_silence_duration_ms = Whole(
        load_default=2000,
        validate=validate.Range(0, MOST),
        metadata={"description": "Silence that ends a stretch of speech."},
    )
    speech_pad_ms = Whole(
        load_default=400, validate=validate.Range(0, MOST), metadata={"description": "Padding on both sides of speech."}
    )


class VadTaskParameters(VadParameters):
    """All parameters of a search for speech, as query parameters or form fields."""

    vad_filter = fields.Boolean(
        load_default=True, metadata={"description": "Accepted for clients of Whisper-WebUI: always true."}
    )


def without_effect(params: Mapping[str, Any]) -> Iterator[str]:
    """One sentence for each parameter that asks for what a search for speech does not do."""
    if not params["vad_filter"]:
        yield "vad_filter has no effect: /vad always looks for speech."
