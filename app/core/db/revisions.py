"""The revisions of edited transcripts, beside the machine's results.

A revision holds what it changed; the latest text is kept whole, too. Revision 0 is the machine's result
(results.py), which is never changed.

The database deletes both together with their task (ON DELETE CASCADE).
"""

from __future__ import annotations

from peewee import CharField, CompositeKey, DoubleField, IntegerField, IntegrityError, Model, TextField

from app.core.db.connection import begin_write, database, now


class Revision(Model):
    """One change of a transcript; ``task`` is the task's uuid, ``number`` counts from 1.

    ``changes`` is JSON text: [segment id, segment before, segment after], null for none. ``content`` is the number of the
    revision that first had this text: its own, or an earlier one after an undo.
    """

    task = CharField(max_length=36)
    number = IntegerField()
    content = IntegerField()
    changes = TextField()
    changed = IntegerField()
    created_at = DoubleField()

    class Meta:
        database = database
        table_name = "revision"
        primary_key = CompositeKey("task", "number")


class EditedResult(Model):
    """The latest text of an edited transcript, as JSON text."""

    task = CharField(max_length=36, primary_key=True)
    revision = IntegerField()
    result = TextField()

    class Meta:
        database = database
        table_name = "edited_result"


def add(uuid: str, number: int, changes: str, changed: int, result: str, content: int) -> bool:
    """Store revision ``number`` and the text after it.

    Returns False, with nothing written, when that number is taken: another client was first. Also when the task has just
    been deleted.
    """
    row = Revision.insert(task=uuid, number=number, content=content, changes=changes, changed=changed, created_at=now())
    latest = EditedResult.insert(task=uuid, revision=number, result=result).on_conflict(
        conflict_target=[EditedResult.task],
        update={EditedResult.revision: number, EditedResult.result: result},
    )
    try:
        with begin_write():
            # The primary key decides: of several writers, one inserts the row, and the others insert none.
            if row.on_conflict_ignore().as_rowcount().execute() != 1:
                return False
            latest.execute()
    except IntegrityError:  # the foreign key: the task is gone
        return False
    return True


def find_latest(uuid: str) -> int:
    """Return the number of the latest revision, 0 if the text was never edited."""
    number: int | None = EditedResult.select(EditedResult.revision).where(EditedResult.task == uuid).scalar()
    return number or 0


def get(uuid: str, number: int) -> Revision | None:
    """Read one revision."""
    return Revision.get_or_none((Revision.task == uuid) & (Revision.number == number))


def read_changes(uuid: str, after: int, until: int) -> list[str]:
    """Read the changes of the revisions above ``after`` up to ``until``, the oldest first."""
    rows = Revision.select(Revision.changes).where(
        (Revision.task == uuid) & (Revision.number > after) & (Revision.number <= until)
    )
    return [row.changes for row in rows.order_by(Revision.number)]


def list_revisions(uuid: str) -> list[Revision]:
    """List the revisions of a task without their changes, the oldest first."""
    columns = (Revision.number, Revision.content, Revision.changed, Revision.created_at)
    return list(Revision.select(*columns).where(Revision.task == uuid).order_by(Revision.number))
