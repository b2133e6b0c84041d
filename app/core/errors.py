"""The service's exceptions: an error code for programs and a message for people."""

from __future__ import annotations


class SpeechError(Exception):
    """An error that is reported to the client.

    It becomes an HTTP response, or the error of the task's row. ``code`` is a stable snake_case word that clients may
    test for; ``message`` is one sentence for people.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class SettingsError(Exception):
    """An invalid configuration.

    The message names the file, the line and the key.
    """
