"""The recording of an earlier task, for a new one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from werkzeug.exceptions import Conflict, Gone

from app.core.db.tasks import Task
from app.core.params import FILE_URL
from app.core.storage.links import link_recording
from app.core.storage.paths import source_path

DOWNLOADING = "The recording of this task is still to be downloaded."
GONE = "The recording of this task is no longer on the server; send it again."


@dataclass(frozen=True)
class EarlierRecording:
    """A recording that belongs to ``task``, too.

    ``digest`` stands for its content, ``shown`` is its URL as clients see it, empty for an upload.
    """

    task: str
    label: str
    shown: str

    @property
    def digest(self) -> str:
        return f"task:{self.task}"

    def link(self, folder: Path) -> None:
        """Give the recording to another task. Answers 410 when it has been removed."""
        try:
            link_recording(source_path(folder.parent, self.task), folder)
        except FileNotFoundError as error:
            raise Gone(GONE) from error


def find_recording(row: Task) -> EarlierRecording:
    """Return the recording of a task. Answers 409 while it is being downloaded."""
    if row.source_url is not None:
        raise Conflict(DOWNLOADING)
    return EarlierRecording(row.uuid, row.file_name, json.loads(row.params).get(FILE_URL, ""))
