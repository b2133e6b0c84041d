"""The parameters of POST /alignment."""

from __future__ import annotations

from marshmallow import ValidationError, validates

from app.core.catalog.catalog import align_models
from app.core.catalog.hub_names import ALIGNERS
from app.core.languages import LANGUAGES
from app.core.params import AlignmentParams
from app.core.settings import Settings
from app.current import get_settings
from app.schemas.languages import Language
from app.schemas.recording import ListeningParameters
from app.schemas.transcript import Transcript


class AlignmentParameters(ListeningParameters):
    """All parameters of POST /alignment.

    Clients send them in the query or as form fields.
    """

    params_class = AlignmentParams

    transcript = Transcript(
        required=True,
        metadata={
            "description": "What is said: plain text, or JSON: a list of segments with start and end (seconds), text, and if"
            " known speaker, such as the result of a transcription. Plain text is aligned with the whole recording, which is"
            " possible for about five minutes. `task_params` shows its SHA-256.",
            "example": "hello monday",
        },
    )
    lang = Language(
        required=True,
        metadata={
            "description": "The language of the transcript: a code or a name, see GET /models. Only those with word_times.",
            "enum": sorted(set(ALIGNERS) & set(LANGUAGES)),
            "example": "en",
        },
    )

    @validates("lang")
    def check_language(self, code: str | None, data_key: str) -> None:
        say = explain_language(code, get_settings())
        if say is not None:
            raise ValidationError(say)


def explain_language(code: str | None, settings: Settings) -> str | None:
    """Say why a text in this language cannot be aligned; None if it can."""
    if code is None:
        return "Name the language; it is not detected."
    models = align_models(settings)
    if code in models:
        return None
    known = ", ".join(sorted(set(models) & set(LANGUAGES)))
    return f"There is no alignment model for this language; there are those for {known}."
