"""Stream the results of tasks that a client has chosen as a ZIP, in several formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from io import BytesIO

from zipstream import ZIP_DEFLATED, ZipStream

from app.core.db.states import COMPLETED
from app.core.db.tasks import Task
from app.formats import list_writers
from app.formats.file_name import download_name
from app.formats.result_archive import NOTE, UniqueNames, describe_missing

Read = Callable[[Task, str], BytesIO | None]


def write_selection(rows: Sequence[Task], formats: Sequence[str], read: Read) -> Iterator[bytes]:
    """Yield a ZIP with a file for each task and format, named after the recordings.

    ``read`` returns the file of a task in a format, None if the task has just been deleted. A note names the tasks without
    a file.
    """
    archive = ZipStream(compress_type=ZIP_DEFLATED)
    names = UniqueNames()
    note_name = names.take(NOTE)
    missing: list[str] = []
    for row in rows:
        count = 0
        for file_format, content in _read_files(row, formats, read):
            archive.add(content.getvalue(), names.take(download_name(row.file_name, row.uuid, file_format)))
            yield from archive.file()
            count += 1
        if not count:
            missing.append(describe_missing(row))
    if missing:
        archive.add("".join(f"{line}\n" for line in missing), note_name)
    yield from archive.finalize()


def _read_files(row: Task, formats: Sequence[str], read: Read) -> Iterator[tuple[str, BytesIO]]:
    for file_format in formats if row.status == COMPLETED else ():
        content = read(row, file_format) if file_format in list_writers(row.task_type) else None
        if content is not None:
            yield file_format, content
