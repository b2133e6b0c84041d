"""webhook_url is a field of every contract that takes recordings."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from flask import Flask

from app.core.db import connection
from app.core.db.tasks import Task
from app.core.db.webhooks import Webhook
from tests.app.api.openai.running import completes, working
from tests.app.posting import RECORDING, assert_nothing_stored

URL = "https://93.184.216.34/end?token=1"
CONTRACTS = [("/v1/audio/transcriptions", "file", []), ("/asr", "audio_file", [])]
DETECTION = ("/detect-language", "audio_file", {"language_code": "en", "language": "english", "confidence": 1.0})


@pytest.mark.parametrize(("path", "field", "result"), [*CONTRACTS, DETECTION])
def test_client_of_another_contract_is_informed_of_the_end(web: Flask, path: str, field: str, result: Any) -> None:
    with working(web, completes(result)):
        fields = {field: (io.BytesIO(RECORDING), "a.wav"), "webhook_url": URL}
        answer = web.test_client().post(path, data=fields)
    assert answer.status_code == 200, answer.text
    with connection.database.connection_context():
        (message,) = Webhook.select()
        assert message.task == Task.get().uuid and json.loads(message.receiver)["url"] == URL


@pytest.mark.parametrize(("path", "field", "result"), CONTRACTS)
@pytest.mark.parametrize("url", ["ftp://93.184.216.34/", "http://user:x@93.184.216.34/", "http://127.0.0.1/x"])
def test_url_that_cannot_be_used_is_refused(web: Flask, path: str, field: str, result: Any, url: str) -> None:
    with working(web, completes(result)):
        answer = web.test_client().post(path, data={field: (io.BytesIO(RECORDING), "a.wav"), "webhook_url": url})
    assert answer.status_code == 400 and "webhook_url" in answer.text
    assert_nothing_stored(web)
