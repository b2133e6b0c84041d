"""Register AssemblyAI's contract."""

from __future__ import annotations

from app.api.assemblyai.document import make_document
from app.api.assemblyai.errors import render_error
from app.api.assemblyai.views import NAME, blueprint
from app.facade import Facade


def owns_path(path: str) -> bool:
    """Whether a path is AssemblyAI's."""
    return path.rstrip("/") == "/v2" or path.startswith("/v2/")


FACADE = Facade(NAME, owns_path, render_error, make_document, blueprint)
