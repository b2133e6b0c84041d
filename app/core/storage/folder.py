"""Keep the files of tasks in cache/, on a local disk or a file system that all machines share."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from app.core.storage import removal
from app.core.storage.durable import replace_file, sync_file, sync_folder
from app.core.storage.links import link_recording
from app.core.storage.locked import remove_unlocked
from app.core.storage.paths import (
    INCOMING,
    PART,
    SOURCE,
    UPLOADS,
    listening_folder,
    partial_file,
    source_path,
    stems_folder,
    task_folder,
    upload_path,
)
from app.core.storage.removal import TRASH
from app.core.storage.storage import Storage
from app.core.storage.stored_file import LocalFile, StoredFile


class Folder(Storage):
    """``path`` is cache/."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)

    def claim(self, database: str) -> None:
        """Do nothing: with a new database, a folder is emptied."""

    def find_outage(self) -> str | None:
        return None

    def keep(self, part: Path, identifier: str) -> None:
        folder = task_folder(self.path, identifier)
        try:
            _sync(part)
            folder.mkdir()
            part.rename(folder / SOURCE)
            for directory in (folder, folder.parent):
                sync_folder(directory)
        except BaseException:  # also a shutdown: no folder without a task may stay
            with contextlib.suppress(OSError):  # the purge removes what stays all the same
                (folder / SOURCE).unlink(missing_ok=True)
                folder.rmdir()
            raise

    def keep_upload(self, part: Path, token: str) -> None:
        path = upload_path(self.path, token)
        _sync(part)
        path.parent.mkdir(exist_ok=True)
        part.rename(path)
        for folder in (path.parent, path.parent.parent):
            sync_folder(folder)

    def copy_recording(self, earlier: str, identifier: str) -> None:
        link_recording(source_path(self.path, earlier), task_folder(self.path, identifier))

    def copy_upload(self, token: str, identifier: str) -> None:
        link_recording(upload_path(self.path, token), task_folder(self.path, identifier))

    def locate_download(self, identifier: str) -> Path:
        return task_folder(self.path, identifier)

    def keep_download(self, identifier: str) -> None:
        """Do nothing: it was downloaded to its place."""

    def find(self, identifier: str, name: str) -> StoredFile:
        path = task_folder(self.path, identifier) / name
        path.stat()
        return LocalFile(path)

    def list_stems(self, identifier: str, claim_no: int) -> dict[str, StoredFile]:
        folder = stems_folder(self.path, identifier, claim_no)
        try:
            return {path.name: LocalFile(path) for path in sorted(folder.iterdir())}
        except FileNotFoundError:
            return {}

    def locate(self, identifier: str) -> str:
        return str(source_path(self.path, identifier))

    @contextlib.contextmanager
    def borrow(self, source: str, identifier: str, claim_no: int, check: Callable[[], None]) -> Iterator[str]:
        yield source

    def locate_stems(self, identifier: str, claim_no: int) -> Path:
        return stems_folder(self.path, identifier, claim_no)

    @contextlib.contextmanager
    def write_stems(self, identifier: str, claim_no: int) -> Iterator[Path]:
        yield self.locate_stems(identifier, claim_no)

    @contextlib.contextmanager
    def write_file(self, identifier: str, claim_no: int, name: str) -> Iterator[Path]:
        path = task_folder(self.path, identifier) / name
        partial = partial_file(path, claim_no)
        with replace_file(path, partial):
            yield partial

    def remove(self, identifier: str) -> bool:
        return removal.remove_folder(self.path, identifier)

    def remove_upload(self, token: str) -> None:
        upload_path(self.path, token).unlink(missing_ok=True)

    def remove_partial(self, identifier: str) -> None:
        removal.remove_partial(self.path, identifier)

    def remove_claim(self, identifier: str, claim_no: int) -> None:
        removal.remove_stems(stems_folder(self.path, identifier, claim_no))
        removal.remove_partial_files(listening_folder(self.path, identifier), claim_no)

    def remove_earlier_stems(self, identifier: str, claim_no: int) -> None:
        for earlier in range(1, claim_no):
            removal.remove_stems(stems_folder(self.path, identifier, earlier))

    def run_removal(self, remove: Callable[[], None]) -> None:
        remove()

    def sweep_spool(self) -> None:
        """Do nothing: runs read the recording itself."""

    def is_sweep_due(self) -> bool:
        return True

    def sweep(self, before: float) -> int:
        return sweep_incoming(self.path, before)

    def list_abandoned(self, before: float) -> list[str]:
        folders = [path for path in self.path.iterdir() if is_identifier(path.name) and path.is_dir()]
        return [path.name for path in folders if is_older(path, before)]

    def list_uploads(self, before: float) -> list[str]:
        return [path.name for path in (self.path / UPLOADS).glob("*") if is_older(path, before)]


def sweep_incoming(cache: Path, before: float) -> int:
    """Remove what crashes have left in cache/incoming/: parts of uploads, and folders that were being removed."""
    incoming = [path for path in (cache / INCOMING).glob("*") if path.suffix in (PART, TRASH)]
    return sum(remove_unlocked(path, before) for path in incoming)


def is_older(path: Path, moment: float) -> bool:
    """Whether ``path`` was last changed before ``moment``; False if it is gone."""
    try:
        return path.stat().st_mtime < moment
    except FileNotFoundError:  # an upload that has just been completed
        return False


def is_identifier(name: str) -> bool:
    """Whether ``name`` is written as the identifiers of tasks are."""
    try:
        return str(uuid.UUID(name)) == name
    except ValueError:
        return False


def _sync(part: Path) -> None:
    with part.open("rb") as file:
        sync_file(file)
