"""A full queue refuses submissions before their body is read."""

from __future__ import annotations

import io

from app.core.db import claims
from tests.app.conftest import MakeWeb
from tests.app.posting import CRLF, kept, part, post, post_body, refused, rows, submitted

MEBIBYTE = 1024 * 1024


def test_full_queue_is_refused_before_the_body_is_read(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 1})
    submitted(web)
    body = io.BytesIO(part("file", b"x" * MEBIBYTE, b"a.wav") + b"--x--" + CRLF)
    refused(post_body(web, b"", input_stream=body, content_length=len(body.getvalue())), 429)
    assert body.tell() == 0


def test_full_queue_refuses_uploads_until_a_task_is_claimed(make_web: MakeWeb) -> None:
    web = make_web(limits={"max_queued": 2})
    accepted = [submitted(web), submitted(web)]
    answer = post(web)
    assert "queue is full" in refused(answer, 429)["message"]
    assert int(answer.headers["Retry-After"]) > 0
    assert kept(web) == sorted([*accepted, *(f"{identifier}/source" for identifier in accepted)])
    assert len(rows()) == 2
    claims.claim("me")
    submitted(web)
