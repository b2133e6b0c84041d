"""The real web side, whose patience with slow clients is 1 s."""

from __future__ import annotations

from app.server import pace, worker
from wsgi import app

pace.WINDOW_SECONDS = 1.0
worker.HEAD_SECONDS = 1.0

__all__ = ["app"]
