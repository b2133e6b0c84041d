"""Tell whether two submissions ask for the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from app.core.params import Params
from app.core.webhooks import Receiver


def make_fingerprint(
    owner: int | None, task_type: str, params: Params, recording: str, receiver: Receiver | None = None
) -> str:
    """Return the SHA-256 of what a task is made from, in hexadecimal.

    ``recording`` is the SHA-256 of the upload, or its URL. The names of files do not count. ``receiver`` is the one that
    the client asked to inform.
    """
    parts = [owner, task_type, params.to_json(), recording, *([receiver.to_json()] if receiver else [])]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def combine_fingerprints(fingerprints: Sequence[str]) -> str:
    """Return one SHA-256 for several recordings in their order."""
    return hashlib.sha256(json.dumps(list(fingerprints)).encode()).hexdigest()
