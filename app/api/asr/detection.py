"""POST /detect-language as whisper-asr-webservice answers it: with the language, in the same request.

The native contract has the same path (app/api/detect_language.py). The field of the recording tells them apart.
"""

from __future__ import annotations

import json

from flask import Response, g, request

from app.api.asr.errors import describe_end
from app.api.asr.parameters import read_detection
from app.api.asr.recording import FIELD, read_recording
from app.api.asr.task_headers import name_task
from app.api.asr.transcription import NAME
from app.api.lookup import abort_not_found
from app.api.query import parse_query
from app.core.db import results
from app.core.db.states import COMPLETED, DETECT_LANGUAGE
from app.core.db.tasks import FAST_LANE
from app.core.params import FILE_URL
from app.current import get_settings
from app.submission.accept import Order
from app.submission.body import MULTIPART, require_form
from app.submission.part_types import is_raw_pcm
from app.submission.synchronous import start_task, wait_for_task
from app.waiting import require_waiter

PATH = "/detect-language"
OWN_NAMES = frozenset(("encode", "video_file", "detect_lang_length", "detect_lang_offset"))
NATIVE_FIELDS = frozenset(("file", FILE_URL))
# Clients look languages up by their ISO 639-1 codes, and Cantonese has none.
ANSWERED_AS = {"yue": {"language_code": "zh", "language": "chinese"}}


def is_meant() -> bool:
    """Whether the request to PATH is one of whisper-asr-webservice's clients.

    Reads the body. Answers 429 before that if a client of this contract may not wait.
    """
    hinted = _has_own_names()
    if hinted:
        require_waiter()
    if request.mimetype == MULTIPART:
        require_form(request)
        sent = {*request.files, *request.form, *parse_query(request)}
        g.is_asr = FIELD in sent or (hinted and not NATIVE_FIELDS & sent)
    else:
        g.is_asr = hinted
    return bool(g.is_asr)


def is_known_as_own() -> bool:
    """Whether errors of the request belong to this contract: by its parameters, as long as the body is not read."""
    return bool(g.get("is_asr", _has_own_names()))


def detect() -> Response:
    """Detect the language of a recording."""
    require_waiter()
    require_form(request)
    upload = read_recording(request)
    asked = read_detection(request, is_raw_pcm(upload))
    order = Order(DETECT_LANGUAGE, asked.params, asked.warnings, facade=NAME, webhook=asked.receiver, lane=FAST_LANE)
    identifier = start_task(order, upload)
    longest = get_settings().limits.max_wait
    row = wait_for_task(identifier, longest)
    if row.status != COMPLETED:
        return describe_end(row, longest)
    found = json.loads((results.get(row.uuid) or abort_not_found()).result)
    found |= ANSWERED_AS.get(found["language_code"], {})
    body = {
        "detected_language": found["language"],
        "language_code": found["language_code"],
        "confidence": found["confidence"],
    }
    return name_task(Response(json.dumps(body) + "\n", mimetype="application/json"), row)


def _has_own_names() -> bool:
    return not OWN_NAMES.isdisjoint(parse_query(request))
