"""One line an event on standard error; control characters are escaped, so no field can forge a line."""

from __future__ import annotations

import logging
import sys
import textwrap
from typing import Any

FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
ESCAPED = {code: f"\\x{code:02x}" for code in [*range(0x20), *range(0x7F, 0xA0)]} | {
    code: f"\\u{code:04x}"
    for code in (0x2028, 0x2029)  # line and paragraph separator
}
IN_TRACEBACKS = {code: text for code, text in ESCAPED.items() if chr(code) not in "\t\n"}


class OneLine(logging.Formatter):
    """Escape everything that could move a terminal's cursor or begin a line; a traceback's lines are indented."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the base class's name
        return super().formatMessage(record).translate(ESCAPED)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        # The exception's text may quote a client: no line of it may look like one of the log's own.
        return textwrap.indent(super().formatException(ei).translate(IN_TRACEBACKS), "  ")


def configure_logging(level: int = logging.INFO) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("apscheduler", "faster_whisper", "peewee.migrations", "urllib3", "huggingface_hub"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connection").setLevel(logging.ERROR)  # its warning on odd headers repeats the whole URL
