"""Log to standard error, one line per event.

Control characters are escaped, so that no field can forge a line.
"""

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
    """Escape control characters in the message and indent tracebacks.

    Tracebacks keep their line breaks.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - named by the base class
        return super().formatMessage(record).translate(ESCAPED)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the base class's name
        # The exception's text may quote a client: no line of it may look like one of the log's own.
        return textwrap.indent(super().formatException(ei).translate(IN_TRACEBACKS), "  ")


def configure_logging(level: int = logging.INFO) -> None:
    """Send all log records to standard error.

    Libraries log warnings only.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine(FORMAT))
    # force: some libraries install handlers of their own when imported
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for chatty in ("apscheduler", "faster_whisper", "peewee.migrations", "urllib3", "huggingface_hub"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    logging.getLogger("urllib3.connection").setLevel(
        logging.ERROR
    )  # its warning about malformed headers quotes the whole URL
