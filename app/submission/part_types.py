"""What the Content-Type of an uploaded part says about its content.

The format of a recording is found in its content; only samples without a header need to be announced.
"""

from __future__ import annotations

from werkzeug.datastructures import FileStorage

from app.http_errors import reject

RAW_PCM = ("audio/pcm", "audio/raw")
RATE = "16000"


def is_raw_pcm(upload: FileStorage) -> bool:
    """Whether the part is announced as samples without a header (``raw_pcm``).

    Answers 422 if it also announces another rate than 16 kHz, or more than one channel.
    """
    if upload.mimetype.strip('"') not in RAW_PCM:
        return False
    announced = upload.mimetype_params
    if announced.get("rate", RATE) != RATE or announced.get("channels", "1") != "1":
        reject({upload.name or "file": [f"{upload.mimetype} must have 16000 Hz and one channel."]})
    return True
