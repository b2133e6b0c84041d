"""whisper-asr-webservice's contract, as a façade."""

from __future__ import annotations

from app.api.asr import detection, transcription
from app.api.asr.document import describe_contract
from app.api.asr.errors import render_error
from app.facade import Facade


def owns(path: str) -> bool:
    """Whether errors of ``path`` are answered as text. /detect-language is also a path of the native contract."""
    name = path.rstrip("/")
    if name == detection.PATH:
        return detection.is_known_as_own()
    return name == "/asr" or name.startswith("/asr/")


ASR = Facade(transcription.NAME, owns, render_error, describe_contract, transcription.blueprint)
