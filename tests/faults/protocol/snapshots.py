"""Write a state to a real database and folder, call a real function on it, and read the new state back.

Times are reduced to what matters: a time is set or not, a lease is the one that was seen or a newer one, and a pause after
a crash is over or not. The result of a call is cached, because it depends only on the rows and the arguments.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from werkzeug.datastructures import FileStorage

from app.core.db import connection, results
from app.core.db.claims import LONGEST_PAUSE_SECONDS
from app.core.db.tasks import Task
from app.core.storage.folder import Folder as FolderStorage
from app.core.storage.paths import INCOMING
from app.submission import uploads

SEEN_LEASE, STALE_LEASE = 5e9, 4e9  # far from the times that the database's clock gives
DUE, PAUSED = "due", "paused"
PURGED_AT = 4.0


class Row(NamedTuple):
    """What the protocol depends on; ``result`` is the text in the table ``result``."""

    status: str
    claim_no: int
    crashes: int
    holder: str | None
    leased: bool
    pause: str | None
    started: bool
    finished: bool
    purged: bool
    error_code: str | None
    result: str | None
    audio_duration: float | None = None
    lost_nodes: int = 0


Rows = tuple[Row | None, ...]
Folder = frozenset[str] | None  # the names in cache/<identifier>; None when there is no such folder


class Touch(NamedTuple):
    """One call of a database function; ``changed`` tasks have new values, ``renewed`` ones a newer lease."""

    name: str
    arguments: tuple[Any, ...]
    rows: Rows
    answer: Any
    changed: frozenset[str] = frozenset()
    renewed: frozenset[str] = frozenset()


class Snapshots:
    """A database in memory and a folder, in which the functions are called."""

    def __init__(self, cache: Path, identifiers: tuple[str, ...]) -> None:
        self.cache = cache
        self.storage = FolderStorage(cache)
        self.identifiers = identifiers
        (cache / INCOMING).mkdir(parents=True)
        connection.connect("sqlite:///:memory:")
        self.calls = 0
        self._ahead = time.time() + LONGEST_PAUSE_SECONDS / 2
        self._columns = [field.column_name for field in Task._meta.sorted_fields]
        marks = ",".join("?" * len(self._columns))
        self._insert = f"INSERT INTO task ({','.join(self._columns)}) VALUES ({marks})"
        columns = ",".join(f"task.{name}" for name in self._columns)
        self._select = f"SELECT {columns}, result.result FROM task LEFT JOIN result ON result.task = task.uuid"
        self._known: dict[Any, Touch] = {}
        self._folders: dict[Any, Folder] = {}
        self._written: dict[tuple[int, Row], list[Any]] = {}  # the values of columns

    def call(self, rows: Rows, function: Callable[..., Any], *arguments: Any, **named: Any) -> Touch:
        """Call ``function`` on ``rows``."""
        key = (rows, function, repr(arguments), repr(named))
        if key not in self._known:
            self._known[key] = self._called(rows, function, arguments, named)
        return self._known[key]

    def _called(self, rows: Rows, function: Callable[..., Any], arguments: Any, named: Any) -> Touch:
        self.calls += 1
        connection.database.execute_sql("DELETE FROM task")
        for number, row in enumerate(rows):
            if row is not None:
                if (number, row) not in self._written:
                    values = self._values(number, row)
                    self._written[number, row] = [values[name] for name in self._columns]
                connection.database.execute_sql(self._insert, self._written[number, row])
                if row.result is not None:
                    results.store(self.identifiers[number], row.result, None)
        before = self._read()
        answer = function(*arguments, **named)
        after = self._read()
        changed = frozenset(i for i in self.identifiers if before.get(i) != after.get(i))
        renewed = frozenset(i for i in after if after[i]["lease_expires"] not in (None, SEEN_LEASE))
        now = tuple(_row(after[i]) if i in after else None for i in self.identifiers)
        return Touch(function.__name__, (*arguments, *named.values()), now, frozen(answer), changed, renewed)

    def _values(self, number: int, row: Row) -> dict[str, Any]:
        values = {field.column_name: field.default for field in Task._meta.sorted_fields} | {
            "id": number + 1,
            "uuid": self.identifiers[number],
            "task_type": "bgm-separation",
            "file_name": "a.wav",
            "created_at": 1.0,
            "lane": 1,
            "changes": 0,
        }
        same = ("status", "claim_no", "crashes", "holder", "error_code", "audio_duration", "lost_nodes")
        values |= {name: getattr(row, name) for name in same}
        values["lease_expires"] = SEEN_LEASE if row.leased else None
        values["not_before"] = {None: None, DUE: 5.0, PAUSED: self._ahead}[row.pause]
        for column, there, moment in (
            ("started_at", row.started, 2.0),
            ("finished_at", row.finished, 3.0),
            ("files_purged_at", row.purged, PURGED_AT),
        ):
            values[column] = moment if there else None
        return values

    def _read(self) -> dict[str, dict[str, Any]]:
        read = connection.database.execute_sql(self._select).fetchall()
        found = [dict(zip((*self._columns, "result"), values, strict=True)) for values in read]
        return {values["uuid"]: values for values in found}

    def disk(self, folder: Folder, identifier: str, function: Callable[..., Any], *arguments: Any) -> Folder:
        """Call ``function`` on the folder of a task and return the names in it."""
        key = (folder, identifier, function, repr(arguments))
        if key not in self._folders:
            path = self.make_folder(folder, identifier)
            function(*arguments)
            self._folders[key] = frozenset(p.name for p in path.iterdir()) if path.is_dir() else None
        return self._folders[key]

    def make_folder(self, folder: Folder, identifier: str) -> Path:
        """Give the folder of a task these names, and no others."""
        path = self.cache / identifier
        shutil.rmtree(path, ignore_errors=True)
        for name in folder or ():
            (path / name).mkdir(parents=True)
        if folder is not None:
            path.mkdir(exist_ok=True)
        return path

    def store_upload(self, identifier: str) -> None:
        """Store a received upload with the function of the web side."""
        part = tempfile.NamedTemporaryFile(dir=self.cache / INCOMING, delete=False)
        uploads.store_upload(FileStorage(part), self.storage, identifier)  # type: ignore[arg-type]


def frozen(answer: Any) -> Any:
    """Make an answer hashable; a row is reduced to the columns that the workers read."""
    if isinstance(answer, Task):
        return Seen(answer.uuid, answer.status, answer.claim_no, answer.files_purged_at is not None)
    if isinstance(answer, list | set):
        return tuple(sorted(answer, key=repr))
    return answer


class Seen(NamedTuple):
    """A row that was read and is used later."""

    uuid: str
    status: str
    claim_no: int
    purged: bool

    def thawed(self) -> Task:
        purged = PURGED_AT if self.purged else None
        return Task(uuid=self.uuid, status=self.status, claim_no=self.claim_no, files_purged_at=purged)


def _row(values: dict[str, Any]) -> Row:
    pause = values["not_before"]
    return Row(
        values["status"],
        values["claim_no"],
        values["crashes"],
        values["holder"],
        values["lease_expires"] is not None,
        None if pause is None else PAUSED if pause > time.time() else DUE,
        values["started_at"] is not None,
        values["finished_at"] is not None,
        values["files_purged_at"] is not None,
        values["error_code"],
        values["result"],
        values["audio_duration"],
        values["lost_nodes"],
    )
