"""An app without workers, on the mini settings with changes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask

from app.core.db import connection
from app.core.settings import Settings
from app.factory import create_app

MakeWeb = Callable[..., Flask]


@pytest.fixture
def make_web(mini_settings: Settings) -> Iterator[MakeWeb]:
    """Make an app with changed settings: ``make_web(limits={"max_queued": 1})``."""

    def make(**sections: dict[str, Any]) -> Flask:
        changed = {name: replace(getattr(mini_settings, name), **values) for name, values in sections.items()}
        app = create_app(replace(mini_settings, **changed))
        app.testing = True
        return app

    yield make
    connection.database.close()
