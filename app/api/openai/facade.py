"""Register OpenAI's contract."""

from __future__ import annotations

from app.api.openai.document import make_document
from app.api.openai.errors import INFERENCE, render_error
from app.api.openai.views import NAME, blueprint
from app.facade import Facade

PREFIXES = ("/v1/", "/audio/", "/openai/", "/models/")


def owns_path(path: str) -> bool:
    """Whether a path is OpenAI's; ``/models`` itself is native."""
    plain = path.rstrip("/")
    return plain in ("/v1", "/audio", "/openai", INFERENCE) or plain.startswith(PREFIXES)


FACADE = Facade(NAME, owns_path, render_error, make_document, blueprint)
