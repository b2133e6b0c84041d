"""What the parameters of every kind of task have in common: unknown ones are refused, config.yaml may fill in the rest."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema

from app.core.settings import Settings


class Parameters(Schema):
    """Base of the schema of one endpoint; fields arrive as query parameters or form fields."""

    class Meta:
        unknown = RAISE
        ordered = True

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        """What config.yaml says where the client says nothing."""
        return {}
