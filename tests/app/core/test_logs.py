"""A log message stays one line, whatever a client sends."""

from __future__ import annotations

import logging
import sys

import pytest

from app.core.logs import FORMAT, OneLine


def written(message: str, *arguments: object) -> str:
    record = logging.LogRecord("app.x", logging.INFO, "x.py", 1, message, arguments, None)
    return OneLine(FORMAT).format(record)


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_control_characters_are_escaped(code: int) -> None:
    line = written("name %s", f"a{chr(code)}b")
    assert line.endswith(f" INFO app.x: name a\\x{code:02x}b")
    assert len(line.splitlines()) == 1


def test_line_break_in_a_value_forges_no_log_line() -> None:
    line = written("task %s", "x\n2026-01-01 00:00:00 INFO app: task y completed\x1b[2K")
    assert "\n" not in line and "\x1b" not in line


@pytest.mark.parametrize("separator", ["\u2028", "\u2029"])
def test_unicode_line_separators_are_escaped(separator: str) -> None:
    assert written("a%sb", separator).endswith(f"a\\u{ord(separator):04x}b")


def test_exception_text_forges_no_log_line() -> None:
    try:
        raise ValueError("bad name\n2026-01-01 00:00:00 ERROR app: forged\x1b[31m")
    except ValueError:
        record = logging.LogRecord("app.x", logging.ERROR, "x.py", 1, "failed", (), sys.exc_info())
    first, *rest = OneLine(FORMAT).format(record).split("\n")
    assert first.endswith("ERROR app.x: failed") and rest[0] == "  Traceback (most recent call last):"
    assert all(line.startswith("  ") for line in rest)
    assert any("forged\\x1b[31m" in line for line in rest)


def test_ordinary_text_is_unchanged() -> None:
    assert written("%s", "“ä”\u00a0字 🎤 \\x").endswith("“ä”\u00a0字 🎤 \\x")
