"""Read the recording of a request: the file part audio_file, or file."""

from __future__ import annotations

import os

from flask import Request
from werkzeug.datastructures import FileStorage

from app.http_errors import reject

FIELD = "audio_file"
FIELDS = (FIELD, "file")
MISSING = "Send the recording as a file part of multipart/form-data: curl -F audio_file=@recording.wav"
NO_FILE_NAME = "Must be a file part, that is, one with a file name: curl -F audio_file=@recording.wav"
SEVERAL = "Given more than once; send one recording per request."
EMPTY = "The file is empty."


def read_recording(request: Request) -> FileStorage:
    """Return the uploaded recording.

    Answers 422 when there is none, more than one, or an empty one.
    """
    found = [upload for field in FIELDS for upload in request.files.getlist(field)]
    if len(found) > 1:
        reject({FIELD: [SEVERAL]})
    if not found:
        # Without a file name, a part is a field of the form.
        reject({FIELD: [NO_FILE_NAME if set(FIELDS) & set(request.form) else MISSING]})
    if found[0].stream.seek(0, os.SEEK_END) == 0:
        reject({FIELD: [EMPTY]})
    return found[0]


def list_other_files(request: Request) -> list[str]:
    """List the names of file parts that are not the recording."""
    return [name for name in request.files if name not in FIELDS]
