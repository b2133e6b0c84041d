"""The error of a model that could not be downloaded."""

from __future__ import annotations

from app.core.errors import SpeechError


class DownloadError(SpeechError):
    """A model could not be downloaded; the message says why, and what to do.

    ``reason`` says only why. Another source may have the model, unless the fault is ``local``, such as a full disk.
    """

    def __init__(self, reason: str, advice: str = "", local: bool = False) -> None:
        super().__init__("model_not_available", f"{reason}. {advice}".strip())
        self.reason = reason
        self.local = local
