"""Remove files from cache/ atomically.

Downloads that have a file open can finish.
"""

from __future__ import annotations

import contextlib
import shutil
import uuid
from pathlib import Path

from app.core.storage.paths import INCOMING, SOURCE, partial_file, partial_folder, task_folder

TRASH = ".trash"


def remove_folder(cache: Path, identifier: str) -> bool:
    """Remove a task's folder.

    Return False when it has none. The purge deletes what a crash leaves of it.
    """
    incoming = cache / INCOMING
    incoming.mkdir(parents=True, exist_ok=True)
    trash = incoming / f"{uuid.uuid4().hex}{TRASH}"
    # A rename is atomic: no request sees half a folder, and open files stay readable.
    try:
        task_folder(cache, identifier).rename(trash)
    except FileNotFoundError:
        return False
    shutil.rmtree(trash, ignore_errors=True)  # renamed already; the purge retries what could not be deleted
    return True


def remove_stems(stems: Path) -> None:
    """Remove the stems of one claim.

    They may be complete or still being written. Raises OSError.
    """
    for folder in (partial_folder(stems), stems):  # in this order: a run on a lost node may complete them meanwhile
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree(folder)


def remove_partial_files(listening: Path, claim_no: int) -> None:
    """Remove the files of ``listening`` that one claim has not completed. Raises OSError."""
    for path in listening.glob(partial_file(listening / "*", claim_no).name):
        path.unlink(missing_ok=True)


def remove_partial(cache: Path, identifier: str) -> None:
    """Remove everything but the recording from a task's folder."""
    folder = task_folder(cache, identifier)
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name == SOURCE:
            continue
        if path.is_dir() and not path.is_symlink():  # rmtree refuses symbolic links
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
