"""The transcripts that clients send to have them aligned.

They have a table of their own: lists of tasks must not read them. The database deletes a transcript together with its task
(ON DELETE CASCADE).
"""

from __future__ import annotations

from peewee import CharField, Model, TextField

from app.core.db.connection import database


class GivenTranscript(Model):
    """The transcript of a task; JSON text: a string without times, or a list of segments."""

    task = CharField(max_length=36, primary_key=True)
    transcript = TextField()

    class Meta:
        database = database
        table_name = "given_transcript"


def store(uuid: str, transcript: str) -> None:
    """Insert the transcript of a task, in the transaction that inserts the task."""
    GivenTranscript.insert(task=uuid, transcript=transcript).execute()


def get(uuid: str) -> str | None:
    """Read the transcript of a task; None if there is none."""
    text: str | None = GivenTranscript.select(GivenTranscript.transcript).where(GivenTranscript.task == uuid).scalar()
    return text
