"""Keep the result the last column of its row on SQLite, which reads a row from its start, page after page.

What stands behind a result of megabytes would cost as much to read as the result; a new column is always put there.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from peewee import SqliteDatabase

DROPS_COLUMNS = (3, 35)
MOVE = (
    "ALTER TABLE task ADD COLUMN result_moved TEXT",
    "UPDATE task SET result_moved = result WHERE result IS NOT NULL",
    "ALTER TABLE task DROP COLUMN result",
    "ALTER TABLE task RENAME COLUMN result_moved TO result",
)


def put_result_last(opened: Any) -> bool:
    """Move it where it is not the last one; an SQLite that cannot drop columns keeps its order and is slower for it."""
    if not isinstance(opened, SqliteDatabase) or sqlite3.sqlite_version_info < DROPS_COLUMNS:
        return False
    if [column.name for column in opened.get_columns("task")][-1] == "result":
        return False
    with opened.atomic("IMMEDIATE"):
        for statement in MOVE:
            opened.execute_sql(statement)
    return True
