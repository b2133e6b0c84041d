"""The base schema of each endpoint's parameters.

It rejects unknown names, fills in config.yaml's values and makes the dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, post_load, pre_load

from app.core.params import Params
from app.core.settings import Settings
from app.current import get_settings


class Parameters(Schema):
    """The parameters of one kind of task.

    ``load`` returns a ``params_class``; it needs an application context.
    """

    params_class: ClassVar[type[Params]] = Params

    class Meta:
        unknown = RAISE

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        """Return config.yaml's values for missing parameters."""
        return {}

    @pre_load
    def fill_in(self, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        # Before validation, so that the values from config.yaml are checked like those of a client.
        return {**self.configured(get_settings()), **data}

    @post_load
    def make_params(self, data: dict[str, Any], **kwargs: Any) -> Params:
        return self.params_class(**data)
