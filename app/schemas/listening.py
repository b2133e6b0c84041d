"""Schemas of recordings and waveforms."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields

from app.schemas.fields import Text

MOST_CHARACTERS = 200


class RecordingQuery(Schema):
    """Which file of the recording a client wants."""

    class Meta:
        unknown = RAISE

    copy = fields.Boolean(
        load_default=False,
        metadata={"description": "true: the listening copy, a mono MP3, in place of the recording."},
    )


class WaveformQuery(Schema):
    """Whose waveform a client wants."""

    class Meta:
        unknown = RAISE

    file = Text(
        load_default="",
        most=MOST_CHARACTERS,
        keeps_space=False,
        metadata={"description": "A stem, such as `vocals.wav`. Default: the recording."},
    )


class Waveform(Schema):
    """A waveform as audiowaveform writes it, JSON version 2."""

    version = fields.Integer(metadata={"enum": [2]})
    channels = fields.Integer(metadata={"enum": [1]})
    sample_rate = fields.Integer(metadata={"description": "Hz."})
    samples_per_pixel = fields.Integer(metadata={"description": "Samples that a point stands for."})
    bits = fields.Integer(metadata={"enum": [8]})
    length = fields.Integer(metadata={"description": "Number of points, at most 50,000."})
    data = fields.List(
        fields.Integer(metadata={"minimum": -128, "maximum": 127}),
        metadata={"description": "The lowest and the highest sample of each point, by turns."},
    )


WAVEFORM_EXAMPLE: dict[str, Any] = {
    "version": 2,
    "channels": 1,
    "sample_rate": 16000,
    "samples_per_pixel": 1600,
    "bits": 8,
    "length": 3,
    "data": [-2, 3, -57, 61, -40, 38],
}
