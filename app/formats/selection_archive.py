"""Stream the results of tasks that a client has chosen as a ZIP, in several formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from zipstream import ZIP_DEFLATED, ZipStream

from app.core.db.states import COMPLETED
from app.core.db.tasks import Task
from app.formats import EXTENSIONS, list_writers
from app.formats.file_name import download_name
from app.formats.result_archive import NOTE, UniqueNames, describe_missing
from app.formats.source import UnwritableError

Read = Callable[[Task, str], BytesIO | None]


def write_selection(rows: Sequence[Task], formats: Sequence[str], read: Read) -> Iterator[bytes]:
    """Yield a ZIP with a file for each task and format, named after the recordings.

    ``read`` returns the file of a task in a format, None if the task has just been deleted; it raises UnwritableError if
    there cannot be a file. A note names the tasks and formats without one.
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    names = UniqueNames()
    note_name = names.take(NOTE)
    missing: list[str] = []
    written: set[str] = set()
    for row in rows:
        count = len(missing)
        for file_format in formats if row.status == COMPLETED else ():
            if file_format not in list_writers(row.task_type):
                continue
            try:
                content = read(row, file_format)
            except UnwritableError as error:
                missing.append(describe_missing(row, f"{file_format}: {error}"))
                continue
            if content is not None:
                extension = EXTENSIONS[file_format]
                name = download_name(row.file_name, row.uuid, extension)
                archive.add(content.getvalue(), names.take(name, f".{extension}"))
                yield from archive.file()
                written.add(row.uuid)
        if row.uuid not in written and len(missing) == count:
            missing.append(describe_missing(row))
    if missing:
        archive.add("".join(f"{line}\n" for line in missing), note_name)
    yield from archive.finalize()
