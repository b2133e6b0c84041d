"""Give a recording that is on disk to a task, without copying it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from app.core.storage.durable import sync_folder
from app.core.storage.paths import SOURCE


def link_recording(recording: Path, folder: Path) -> None:
    """Make ``folder`` with the recording as its source; both are durable when this returns.

    The recording is removed from disk when the last of its tasks is. Raises FileNotFoundError, and leaves nothing, if it is no
    longer there.
    """
    folder.mkdir()
    try:
        os.link(recording, folder / SOURCE)
    except BaseException:  # also a shutdown: no folder without a recording may stay
        shutil.rmtree(folder, ignore_errors=True)
        raise
    for directory in (folder, folder.parent):
        sync_folder(directory)
