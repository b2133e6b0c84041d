"""The real web side, with timeouts of 1 s for slow clients."""

from __future__ import annotations

from app.server import pace, worker
from wsgi import app

pace.WINDOW_SECONDS = 1.0
worker.HEAD_SECONDS = 1.0

__all__ = ["app"]
