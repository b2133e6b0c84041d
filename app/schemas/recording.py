"""The parameters of every kind of task: what is decoded of the recording, and how."""

from __future__ import annotations

from marshmallow import validate
from marshmallow.fields import Boolean, String

from app.core.params import LISTENING_COPY, OFF
from app.schemas.fields import WholeNumber
from app.schemas.parameters import Parameters

MOST_TRACKS = 1000


class RecordingParameters(Parameters):
    """What is decoded of the recording."""

    audio_track = WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, MOST_TRACKS - 1),
        metadata={
            "description": "Audio track to decode, counted from 0. Default: the track marked as the default, or the first,"
            " that can be decoded and is not silent."
        },
    )
    raw_pcm = Boolean(
        load_default=False,
        metadata={
            "description": "true: a recording that is in no known format consists of samples without a header: 16 bit, little"
            " endian, 16 kHz, mono."
        },
    )


class ListeningParameters(RecordingParameters):
    """What is stored for players."""

    listening_copy = String(
        load_default=OFF,
        validate=validate.OneOf(LISTENING_COPY),
        metadata={
            "description": "auto: if not all browsers play the recording, an MP3 of its sound is made for listening, see"
            " GET /task/{identifier}/recording."
        },
    )
