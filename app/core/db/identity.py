"""The identifier of this database, by which a bucket knows whose files it holds."""

from __future__ import annotations

from peewee import CharField, Database, Model

from app.core.db.connection import database


class Identity(Model):
    """The only row. The first migration has made it."""

    identifier = CharField(max_length=32, primary_key=True)

    class Meta:
        database = database
        table_name = "identity"


def read() -> str:
    """Return the identifier of the open database."""
    return str(Identity.select().get().identifier)


def read_from(opened: Database) -> str | None:
    """Return the identifier of another database; None if its tables were not made yet."""
    if not opened.table_exists(Identity._meta.table_name):
        return None
    return str(opened.execute_sql("SELECT identifier FROM identity").fetchone()[0])
