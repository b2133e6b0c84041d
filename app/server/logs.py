"""gunicorn's logs, with control characters escaped."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from app.auth import LOGGED_NAME
from app.core.logs import OneLine


class EscapingLogger(Logger):
    """Keeps each entry on one line.

    A client could otherwise forge entries, in the access log as in the error log.
    """

    def setup(self, cfg: Any) -> None:
        super().setup(cfg)
        for log in (self.error_log, self.access_log):
            for handler in log.handlers:
                if handler.formatter is not None:
                    handler.setFormatter(OneLine(handler.formatter._fmt, handler.formatter.datefmt))

    def atoms(self, resp: Any, req: Any, environ: dict[str, Any], request_time: timedelta) -> dict[str, Any]:
        """Return gunicorn's atoms with the path as sent, and the name of the API key.

        The path is still percent-encoded. The query is left out: it may hold a token.
        """
        atoms: dict[str, Any] = super().atoms(resp, req, environ, request_time)
        name = environ.get(LOGGED_NAME)
        return atoms | {"U": environ["RAW_URI"].partition("?")[0], "K": f" key {name}" if name else ""}
