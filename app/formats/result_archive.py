"""Stream the results of several tasks as a ZIP, one file at a time."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator
from io import BytesIO

from zipstream import ZIP_DEFLATED, ZipStream

from app.core.db.states import COMPLETED, FAILED, TERMINAL
from app.core.db.tasks import Task
from app.formats.file_name import download_name
from app.formats.source import UnwritableError

NOTE = "not completed.txt"


def write_archive(rows: Iterable[Task], extension: str, read: Callable[[Task], BytesIO | None]) -> Iterator[bytes]:
    """Yield a ZIP of the completed tasks' files, named after the recordings.

    ``read`` returns the file of a task, None if the task has just been deleted; it raises UnwritableError if there cannot
    be a file. A note names the tasks without one.
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    names = UniqueNames()
    note_name = names.take(NOTE)
    missing: list[str] = []
    for row in rows:
        try:
            content = read(row) if row.status == COMPLETED else None
        except UnwritableError as error:
            missing.append(describe_missing(row, str(error)))
            continue
        if content is None:
            missing.append(describe_missing(row))
            continue
        name = names.take(download_name(row.file_name, row.uuid, extension), f".{extension}")
        archive.add(content.getvalue(), name)
        yield from archive.file()
    if missing:
        archive.add("".join(f"{line}\n" for line in missing), note_name)
    yield from archive.finalize()


def describe_missing(row: Task, unwritable: str = "") -> str:
    """Say in one line why a task has no file; ``unwritable`` is what its result lacks."""
    if unwritable:
        why = unwritable
    elif row.status == FAILED:
        why = f"failed ({row.error_code}): {row.error}"
    elif row.status == COMPLETED:
        why = "was deleted"
    elif row.status in TERMINAL:
        why = "was cancelled"
    else:
        why = f"not finished yet ({row.status})"
    line = f"{row.file_name or 'recording'} (task {row.uuid}): {why}"
    return "".join(" " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character for character in line)


class UniqueNames:
    """Number file names that a file system could take for the same."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, name: str, suffix: str = "") -> str:
        """Return ``name``, or ``name (2)`` and so on, before its extension, or before ``suffix``."""
        suffix = suffix or f".{name.rpartition('.')[2]}"
        stem = name.removesuffix(suffix)
        number, unique = 1, name
        # Windows and macOS ignore case; macOS compares composed characters.
        while (folded := unicodedata.normalize("NFC", unique).casefold()) in self._taken:
            number += 1
            unique = f"{stem} ({number}){suffix}"
        self._taken.add(folded)
        return unique
