"""The parameters of POST /vad.

A transcription with vad_filter takes VadParameters, too.
"""

from __future__ import annotations

import math

from marshmallow import fields, validate

from app.core.params import VadParams
from app.schemas.fields import Number, WholeNumber
from app.schemas.parameters import Parameters
from app.schemas.recording import ListeningParameters

MOST = 2**31 - 1


class VadParameters(Parameters):
    """What counts as speech, and how it is split."""

    threshold = Number(
        load_default=0.5, validate=validate.Range(0, 1), metadata={"description": "Speech above this probability."}
    )
    min_speech_duration_ms = WholeNumber(
        load_default=250, validate=validate.Range(0, MOST), metadata={"description": "Drop speech shorter than this."}
    )
    max_speech_duration_s = Number(
        load_default=lambda: math.inf,  # a function keeps infinity, which JSON lacks, out of the OpenAPI document
        endless=True,
        validate=validate.Range(0, min_inclusive=False),
        metadata={"description": "Split speech longer than this many seconds; left out, or `inf`, it is never split."},
    )
    min_silence_duration_ms = WholeNumber(
        load_default=2000,
        validate=validate.Range(0, MOST),
        metadata={"description": "Silence that ends a speech segment."},
    )
    speech_pad_ms = WholeNumber(
        load_default=400, validate=validate.Range(0, MOST), metadata={"description": "Padding on both sides of speech."}
    )


class VadTaskParameters(VadParameters, ListeningParameters):
    """All parameters of POST /vad.

    Clients send them in the query or as form fields.
    """

    params_class = VadParams

    vad_filter = fields.Boolean(
        load_default=True, metadata={"description": "Accepted for clients of Whisper-WebUI; always true."}
    )


def describe_ignored(params: VadParams) -> list[str]:
    """List a warning for each value without effect."""
    return [] if params.vad_filter else ["vad_filter has no effect: /vad always looks for speech."]
