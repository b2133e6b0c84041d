"""What a client asks for, beside the recording: the task, and the answer."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Request
from werkzeug.datastructures import FileStorage

from app.api.openai.errors import refuse
from app.api.openai.form import Fields, read_fields
from app.api.openai.parameters import DIARIZED, build_params, read_flag
from app.core.params import TranscriptionParams
from app.core.webhooks import Receiver
from app.submission.part_types import is_raw_pcm
from app.submission.receiver import read_receiver
from app.submission.uploads import require_content

FORMATS = ("json", "text", "srt", "verbose_json", "vtt", DIARIZED)
GRANULARITIES = ("word", "segment")
STREAMED = ("json", "text", DIARIZED)
MEBIBYTE = 1024 * 1024
FIELD_BYTES = 3 * MEBIBYTE  # 10 s of a known speaker as WAV, in base64
FIELDS_BYTES = 12 * MEBIBYTE  # four of them, and the other fields


@dataclass(frozen=True)
class Asked:
    """One request. ``words`` and ``segments``: what verbose_json contains."""

    params: TranscriptionParams
    warnings: tuple[str, ...]
    response_format: str
    words: bool
    segments: bool
    stream: bool
    receiver: Receiver | None = None


def admit_references(request: Request, most_upload_mb: int) -> None:
    """Accept the recordings of known speakers, which are fields of the form."""
    if request.mimetype == "multipart/form-data":
        request.max_form_memory_size = FIELD_BYTES
        request.max_content_length = most_upload_mb * MEBIBYTE + FIELDS_BYTES
        request.max_fields_size = FIELDS_BYTES  # type: ignore[attr-defined]


def read_request(request: Request, translates: bool, deployment: str | None) -> tuple[Asked, FileStorage]:
    """Read the form, and find the recording in it.

    Answers 400 with the field that is missing or wrong.
    """
    fields = read_fields(request)
    recording = _find_recording(request, fields)
    chosen = _choose_format(fields, translates)
    granularities = _read_granularities(fields)
    stream = read_flag(fields, "stream")
    _warn(fields, chosen, granularities, stream)
    params, warnings = build_params(fields, chosen, translates, deployment, is_raw_pcm(recording))
    receiver = read_receiver(fields.take("webhook_url"))
    warnings += fields.describe_rest()
    words = "word" in granularities
    asked = Asked(params, tuple(warnings), chosen, words, "segment" in granularities or not words, stream, receiver)
    return asked, recording


def _find_recording(request: Request, fields: Fields) -> FileStorage:
    """Return the upload ``file``, or the only one under another name."""
    files = [(name, each) for name, uploads in request.files.lists() for each in uploads]
    named = [each for name, each in files if name == "file"] or [each for _, each in files]
    if fields.take_list("file"):
        refuse("file", "Was sent as text: the part of the form needs a file name. curl -F file=@recording.wav")
    if not named:
        refuse("file", "Send the recording as the multipart form field 'file', with a file name.")
    if len(named) > 1:
        refuse("file", "Was given more than once; send each recording in a request of its own.")
    if len(files) > 1:
        fields.warnings.append("Only the recording in the field file was used.")
    require_content(named[0])
    return named[0]


def _choose_format(fields: Fields, translates: bool) -> str:
    chosen = (fields.take("response_format") or "json").strip().lower()
    known = [name for name in FORMATS if name != DIARIZED or not translates]
    if chosen not in known:
        refuse("response_format", f"Must be one of: {', '.join(known)}.")
    return chosen


def _read_granularities(fields: Fields) -> set[str]:
    asked = {value.strip().lower() for value in fields.take_list("timestamp_granularities", divided=True)}
    if asked - set(GRANULARITIES):
        refuse("timestamp_granularities", f"Must be one or both of: {', '.join(GRANULARITIES)}.")
    return asked


def _warn(fields: Fields, chosen: str, granularities: set[str], stream: bool) -> None:
    if granularities and chosen not in ("verbose_json", DIARIZED) and not (chosen == "vtt" and "word" in granularities):
        fields.warnings.append("timestamp_granularities has no effect: it needs response_format verbose_json.")
    if fields.take_list("include"):
        fields.warnings.append("include has no effect: there are no probabilities of single tokens.")
    if stream and chosen not in STREAMED:
        fields.warnings.append(f"response_format {chosen} has no effect: a stream consists of text.")
