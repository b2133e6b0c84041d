"""Results rendered as files (SRT, VTT, ...).

Each file is rendered once and stored, instead of once per request. The table is a cache: a missing file is rendered
again from the result, so a failure to store one is only logged.

The database deletes renderings together with their task (ON DELETE CASCADE).
"""

from __future__ import annotations

import logging

from peewee import BlobField, CharField, CompositeKey, DatabaseError, IntegerField, InterfaceError, Model

from app.core.db.connection import begin_write, database, limit_wait

STORE_SECONDS = 0.5  # the client waits for its file meanwhile

log = logging.getLogger(__name__)


class Rendering(Model):
    """One rendered file.

    ``task`` is the task's uuid, ``version`` that of the writers (``app.formats.VERSION``), ``revision`` that of the text.
    """

    task = CharField(max_length=36)
    format = CharField(max_length=16)
    version = IntegerField()
    revision = IntegerField(default=0)
    content = BlobField()

    class Meta:
        database = database
        table_name = "rendering"
        primary_key = CompositeKey("task", "format", "version", "revision")


def get(uuid: str, file_format: str, version: int, revision: int = 0) -> bytes | None:
    """Read a stored file.

    Returns None when this version of the writers has not rendered this revision yet.
    """
    key = (Rendering.task == uuid) & (Rendering.format == file_format)
    exact = (Rendering.version == version) & (Rendering.revision == revision)
    content = Rendering.select(Rendering.content).where(key & exact).scalar()
    return None if content is None else bytes(content)


def store(uuid: str, file_format: str, version: int, content: bytes, revision: int = 0) -> bool:
    """Store a rendered file; delete those of older writers and of older revisions.

    Returns False when the database cannot store it. Two requests may render the same file at once: the second one
    leaves the first one's row as it is.
    """
    same = (Rendering.task == uuid) & (Rendering.format == file_format)
    older = same & ((Rendering.version < version) | (Rendering.revision < revision))
    try:
        with limit_wait(STORE_SECONDS), begin_write():
            Rendering.delete().where(older).execute()
            row = Rendering.insert(task=uuid, format=file_format, version=version, revision=revision, content=content)
            row.on_conflict_ignore().execute()
    except (DatabaseError, InterfaceError) as error:  # locked, disk full, connection lost, task deleted meanwhile
        log.warning("task %s: cannot store the %s file; it will be rendered again: %s", uuid, file_format, error)
        return False
    return True
