"""The one exception family of the service: a code for programs and a sentence for people, for HTTP and the task row alike."""

from __future__ import annotations


class SpeechError(Exception):
    """Something went wrong that a person can be told about.

    ``code`` is the stable snake_case word clients may test for, ``message`` a sentence for a person.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"


class SettingsError(Exception):
    """The configuration cannot be used; the text names the file, the line and the key."""
