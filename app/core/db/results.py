"""The results of completed tasks.

They have a table of their own: a result may be megabytes, and lists of tasks must not read it.

The database deletes a result together with its task (ON DELETE CASCADE).
"""

from __future__ import annotations

from peewee import CharField, Model, TextField

from app.core.db.connection import database


class Result(Model):
    """The result of a completed task.

    ``task`` is the task's uuid, the other columns are JSON text.
    """

    task = CharField(max_length=36, primary_key=True)
    result = TextField()
    speaker_embeddings = TextField(null=True)
    speaker_turns = TextField(null=True)

    class Meta:
        database = database
        table_name = "result"


def store(uuid: str, result: str, speaker_embeddings: str | None, speaker_turns: str | None = None) -> None:
    """Insert the result of a task.

    Part of the transaction that completes the task (``tasks.complete``).
    """
    Result.insert(
        task=uuid, result=result, speaker_embeddings=speaker_embeddings, speaker_turns=speaker_turns
    ).execute()


def get(uuid: str) -> Result | None:
    """Read a task's result; None unless it is completed."""
    return Result.get_or_none(Result.task == uuid)
