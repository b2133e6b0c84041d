"""Apps with a worker that completes each task with the same transcript."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask

from tests.app.api.openai.running import DIALOGUE, SPOKEN, completes, working
from tests.app.conftest import MakeWeb


@pytest.fixture
def speech(web: Flask) -> Iterator[Flask]:
    """Every recording says the same two sentences."""
    with working(web, completes(SPOKEN)):
        yield web


@pytest.fixture
def dialogue(web: Flask) -> Iterator[Flask]:
    """Every recording is the same dialogue."""
    with working(web, completes(DIALOGUE)):
        yield web


@pytest.fixture
def idle(make_web: MakeWeb) -> Iterator[Flask]:
    """A worker is alive, but ends no task; clients wait for a second."""
    web = make_web(limits={"max_wait": 1.0})
    with working(web, None):
        yield web
