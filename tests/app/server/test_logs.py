"""A client cannot forge lines in gunicorn's logs, and queries are not logged."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.app.server.conftest import Client
from tests.service import Service, until

Connect = Callable[[Service], Client]


def logged(web: Service, mark: str) -> list[str]:
    """Wait for lines that contain ``mark`` and return them."""
    lines: list[str] = until(lambda: [line for line in web.log("web.log").split("\n") if mark in line], mark, 30)
    return lines


def test_path_forges_no_access_log_line(web: Service, connect: Connect) -> None:
    connect(web).send(
        b"GET /x%0a2026-01-01%20ERROR%20forged%1b%5b31m%22%20200?token=secret HTTP/1.1\r\nHost: localhost\r\n\r\n"
    ).answer()
    (line,) = logged(web, "forged")
    assert re.fullmatch(
        r'127\.0\.0\.1 "GET /x%0a2026-01-01%20ERROR%20forged%1b%5b31m%22%20200" 404 \d+ bytes \d+ ms', line
    )
    assert "\x1b" not in web.log("web.log") and "secret" not in web.log("web.log")


def test_malformed_request_forges_no_error_log_line(web: Service, connect: Connect) -> None:
    connect(web).send(b"GET /\x1b[31mforged HTTP/1.1\r\nHost: localhost\r\n\r\n").answer(b"</html>\n")
    connect(web).send(b"GET / HTTP/1.1\r\nHost: localhost\r\nforged\x1b[31m\x9b: x\r\n\r\n").answer(b"</html>\n")
    assert logged(web, "forged")
    assert not set(web.log("web.log")) & {"\x1b", "\x9b", "\r"}
