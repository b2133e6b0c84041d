"""The results of completed tasks.

They have a table of their own: a result may be megabytes, and lists of tasks must not read it. Edited texts are
in revisions.py; clients see the latest one.

The database deletes a result together with its task (ON DELETE CASCADE).
"""

from __future__ import annotations

from peewee import JOIN, CharField, Model, TextField, fn

from app.core.db.connection import database
from app.core.db.revisions import EditedResult


class Result(Model):
    """The result of a completed task.

    ``task`` is the task's uuid, the other columns are JSON text. ``revision`` is the number of the edited text that
    ``result`` holds, 0 for the machine's.
    """

    revision: int = 0  # not a column
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
    """Read the latest text of a task's result; None unless it is completed."""
    text = fn.COALESCE(EditedResult.result, Result.result).alias("result")
    number = fn.COALESCE(EditedResult.revision, 0).alias("revision")
    others = [field for field in Result._meta.sorted_fields if field is not Result.result]
    rows = Result.select(*others, text, number)
    joined = rows.join(EditedResult, JOIN.LEFT_OUTER, on=(EditedResult.task == Result.task))
    # One statement: text and number belong together, even while another client edits.
    found: Result | None = joined.where(Result.task == uuid).objects().first()
    return found


def get_original(uuid: str) -> Result | None:
    """Read a task's result as the machine made it; None unless it is completed."""
    return Result.get_or_none(Result.task == uuid)
