"""The base of each endpoint's parameters: refuse unknown names, fill in config.yaml's values, make the dataclass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from marshmallow import RAISE, Schema, post_load, pre_load

from app.core.params import Params
from app.core.settings import Settings
from app.current import get_settings


class Parameters(Schema):
    """The parameters of one kind of task; ``load`` returns a ``params_class`` and needs a running application."""

    params_class: ClassVar[type[Params]] = Params

    class Meta:
        unknown = RAISE

    @staticmethod
    def configured(settings: Settings) -> dict[str, Any]:
        """What config.yaml sets where the client sends nothing."""
        return {}

    @pre_load
    def fill_in(self, data: Mapping[str, Any], **kwargs: Any) -> dict[str, Any]:
        return {**self.configured(get_settings()), **data}

    @post_load
    def make_params(self, data: dict[str, Any], **kwargs: Any) -> Params:
        return self.params_class(**data)
