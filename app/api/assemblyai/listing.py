"""Pages of transcripts, newest first."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import Any
from urllib.parse import urlencode

from flask import Request
from werkzeug.exceptions import BadRequest

from app.api.assemblyai.query import read_query
from app.api.assemblyai.transcript import STATUSES, describe_error, find_transcript, show_audio_url
from app.api.lookup import format_time
from app.auth import visible_owner
from app.core.db import pages
from app.core.db.states import TRANSCRIPTION
from app.core.db.tasks import Task

USUAL, MOST = 10, 200
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


def list_transcripts(request: Request, facade: str) -> dict[str, Any]:
    """Answer a page of the transcripts that came by this contract. Answers 400 for a bad parameter."""
    query = read_query(request)
    limit, status = _read_limit(query.get("limit")), query.get("status")
    if status is not None and status not in STATUSES.values():
        raise BadRequest(f"status: Must be one of {', '.join(dict.fromkeys(STATUSES.values()))}.")
    # Tasks are never throttled.
    wanted = [] if query.get("throttled_only", "").lower() in ("true", "1") else list(STATUSES)
    conditions = pages.Conditions(
        facade=facade,
        task_type=TRANSCRIPTION,
        statuses=tuple(name for name in wanted if status in (None, STATUSES[name])),
        owner=visible_owner(),
        before=find_transcript(query["before_id"]).id if "before_id" in query else None,
        after=find_transcript(query["after_id"]).id if "after_id" in query else None,
        created=_read_day(query["created_on"]) if "created_on" in query else None,
    )
    rows = pages.list_page(conditions, limit)
    base = f"{request.url_root}v2/transcript"
    kept = {"limit": limit} | ({"status": status} if status else {})
    kept |= {name: query[name] for name in ("created_on", "throttled_only") if name in query}
    details: dict[str, Any] = {
        "limit": limit,
        "result_count": len(rows),
        "current_url": f"{base}?{urlencode(kept | {n: query[n] for n in ('before_id', 'after_id') if n in query})}",
        "prev_url": None,
        "next_url": None,
    }
    # As in AssemblyAI's pages, the previous one is older.
    if rows and pages.has_more(conditions, before=rows[-1].id):
        details["prev_url"] = f"{base}?{urlencode(kept | {'before_id': rows[-1].uuid})}"
    if rows and pages.has_more(conditions, after=rows[0].id):
        details["next_url"] = f"{base}?{urlencode(kept | {'after_id': rows[0].uuid})}"
    return {"page_details": details, "transcripts": [_describe(row, base) for row in rows]}


def _describe(row: Task, base: str) -> dict[str, Any]:
    return {
        "id": row.uuid,
        "resource_url": f"{base}/{row.uuid}",
        "status": STATUSES[row.status],
        "created": format_time(row.created_at),
        "completed": format_time(row.finished_at),
        "audio_url": show_audio_url(row),
        "error": describe_error(row),
    }


def _read_limit(text: str | None) -> int:
    if text is None:
        return USUAL
    if not (text.isascii() and text.isdigit() and len(text) < 10 and 1 <= int(text) <= MOST):
        raise BadRequest(f"limit: Must be a whole number from 1 to {MOST}.")
    return int(text)


def _read_day(text: str) -> tuple[float, float]:
    """Return the begin and the end of a day in UTC, in seconds since 1970."""
    try:
        day = datetime.strptime(text if DAY.fullmatch(text) else "", "%Y-%m-%d").replace(tzinfo=timezone.utc)
        return day.timestamp(), (day + timedelta(days=1)).timestamp()
    except (ValueError, OverflowError) as error:
        raise BadRequest("created_on: Must be a day such as 2026-11-22.") from error
