"""AssemblyAI's paths."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

from flask import Blueprint, Response, current_app, request
from werkzeug.exceptions import BadRequest, NotFound

from app.api.assemblyai import listing, subtitles
from app.api.assemblyai.parameters import read_options, refuse
from app.api.assemblyai.query import read_query
from app.api.assemblyai.search import MOST_TERMS, search_words, split_terms
from app.api.assemblyai.spans import describe_paragraphs, describe_sentences
from app.api.assemblyai.transcript import (
    NO_TRANSCRIPT,
    UPLOAD_PATH,
    UPLOADS,
    describe_removed,
    describe_transcript,
    find_result,
    find_transcript,
    show_audio_url,
)
from app.api.assemblyai.words import list_words
from app.api.json_body import read_object
from app.core.db import tasks, waiters
from app.core.db.states import TRANSCRIPTION
from app.core.db.tasks import Task
from app.core.errors import SpeechError
from app.core.net.addresses import Target, parse_url
from app.core.storage.removal import remove_folder
from app.current import get_settings
from app.submission.accept import Order, create_task
from app.submission.kept_uploads import KeptUpload, discard_upload, find_upload, keep_upload

NAME = "assemblyai"
EXAMPLE = '{"audio_url": "https://…"}'
blueprint = Blueprint(NAME, __name__, url_prefix="/v2")
log = logging.getLogger(__name__)


@blueprint.post("/upload")
def upload() -> Response:
    """Keep a recording for a transcript."""
    kept = keep_upload(request)
    return _answer({"upload_url": f"{request.url_root}v2/upload/{kept.token}"})


@blueprint.post("/transcript")
def create_transcript() -> Response:
    """Queue a transcription."""
    wanted = read_options(read_object(request, EXAMPLE))
    order = Order(
        TRANSCRIPTION,
        wanted.params,
        tuple(wanted.warnings),
        facade=NAME,
        reuse=True,
        webhook=wanted.receiver,
    )
    return _show(create_task(order, _find_recording(wanted.audio_url)).identifier)


@blueprint.get("/transcript")
def list_transcripts() -> Response:
    """List transcripts, newest first."""
    return _answer(listing.list_transcripts(request, NAME))


@blueprint.get("/transcript/<identifier>")
def get_transcript(identifier: str) -> Response:
    """Follow a transcript until it is completed."""
    return _show(identifier)


@blueprint.delete("/transcript/<identifier>")
def delete_transcript(identifier: str) -> Response:
    """Delete a transcript, its recording and its upload."""
    row = find_transcript(identifier)
    if not tasks.delete(row.uuid):
        raise NotFound(NO_TRANSCRIPT)
    remove_folder(get_settings().cache.path, row.uuid)
    uploaded = UPLOAD_PATH.search(show_audio_url(row))
    if uploaded:
        discard_upload(uploaded[1])
    log.info("task %s deleted while %s", row.uuid, row.status)
    return _answer(describe_removed(row), row)


@blueprint.get("/transcript/<identifier>/sentences")
def list_sentences(identifier: str) -> Response:
    """Return a transcript in sentences."""
    row = find_transcript(identifier)
    return _answer(describe_sentences(row, find_result(row)), row)


@blueprint.get("/transcript/<identifier>/paragraphs")
def list_paragraphs(identifier: str) -> Response:
    """Return a transcript in paragraphs."""
    row = find_transcript(identifier)
    return _answer(describe_paragraphs(row, find_result(row)), row)


@blueprint.get("/transcript/<identifier>/srt")
def download_srt(identifier: str) -> Response:
    """Return SubRip subtitles."""
    return _answer_text(identifier, subtitles.write_srt, "text/plain")


@blueprint.get("/transcript/<identifier>/vtt")
def download_vtt(identifier: str) -> Response:
    """Return WebVTT subtitles."""
    return _answer_text(identifier, subtitles.write_vtt, "text/vtt")


@blueprint.get("/transcript/<identifier>/word-search")
def find_words(identifier: str) -> Response:
    """Find words and phrases in a transcript."""
    row = find_transcript(identifier)
    terms = split_terms(read_query(request).get("words", ""))
    if not 1 <= len(terms) <= MOST_TERMS:
        refuse("words", f"Must be 1 to {MOST_TERMS} words or phrases, separated by commas.")
    found = search_words(list_words(find_result(row)), terms)
    return _answer({"id": row.uuid, **found}, row)


def _find_recording(url: str) -> KeptUpload | Target:
    """Find the upload that ``url`` names, or parse it. Answers 400 for one that cannot be used."""
    try:
        target = parse_url(url)
    except SpeechError as error:
        refuse("audio_url", error.message)
    # Its token is enough: behind a proxy, the host that the client sees may be unknown here.
    path = target.path.partition("?")[0]
    uploaded = UPLOAD_PATH.fullmatch(path, max(0, path.find(UPLOADS)))
    if uploaded:
        kept = find_upload(uploaded[1], target.shown)
        return kept or refuse("audio_url", "The upload is unknown or has expired; upload the recording again.")
    if not get_settings().fetch.enabled:
        refuse("audio_url", "Downloading by URL is disabled on this server; use POST /v2/upload.")
    return target


def _show(identifier: str) -> Response:
    row = find_transcript(identifier)
    if row.waited_at is not None:
        waiters.keep_task(identifier)  # from now on, its client follows it here
    return _answer(describe_transcript(row), row)


def _answer(body: dict[str, Any], row: Task | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, allow_nan=False) + "\n"
    return _identify(current_app.response_class(text, mimetype="application/json"), row)


def _answer_text(identifier: str, write: Callable[[str, int | None], Iterator[str]], mimetype: str) -> Response:
    row = find_transcript(identifier)
    sent = read_query(request).get("chars_per_caption", "")
    least, most = subtitles.LEAST_CHARS, subtitles.MOST_CHARS
    if sent and not (sent.isascii() and sent.isdigit() and len(sent) < 10 and least <= int(sent) <= most):
        raise BadRequest(f"chars_per_caption: Must be a whole number from {least} to {most}.")
    text = "".join(write(find_result(row), int(sent) if sent else None))
    response = current_app.response_class(text, mimetype=mimetype)
    response.mimetype_params["charset"] = "utf-8"
    return _identify(response, row)


def _identify(response: Response, row: Task | None) -> Response:
    """Name the native task, and count its warnings."""
    if row is not None:
        response.headers["X-Speech-Task"] = response.headers["x-request-id"] = row.uuid
        warnings = json.loads(row.warnings)
        if warnings:
            response.headers["X-Speech-Warnings"] = str(len(warnings))
    return response
