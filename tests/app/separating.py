"""Finished tasks with stems."""

from __future__ import annotations

import json

from flask import Flask

from app.core.db import tasks
from app.core.storage.paths import stems_folder
from app.current import get_settings
from tests.app.posting import submitted
from tests.app.rows import claimed

STEMS = {"instrumental.wav": bytes(range(256)) * 40, "vocals.wav": b"RIFF" + bytes(range(255, -1, -1)) * 30}


def finished(web: Flask, query: str = "", path: str = "/bgm-separation") -> str:
    """Complete a task with the stems in place and return its identifier."""
    identifier = submitted(web, query, path=path)
    claim = claimed()
    folder = stems_folder(get_settings(web).cache.path, identifier, claim.claim_no)
    folder.mkdir()
    for name, content in STEMS.items():
        (folder / name).write_bytes(content)
    assert tasks.complete(claim, "filepath", json.dumps({"files": []}), [], 1.0)
    return identifier
