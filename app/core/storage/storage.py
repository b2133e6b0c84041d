"""The files of tasks behind one interface: recordings, stems, listening copies and waveforms.

``folder.py`` keeps them in cache/, ``bucket.py`` in an object store. With both, a file is there as a whole or not at all,
and it is durable when the method that writes it returns. Identifiers and tokens are made by the service; names are those
of paths.py.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from app.core.errors import SpeechError
from app.core.storage.stored_file import StoredFile

log = logging.getLogger(__name__)


class StorageUnavailableError(SpeechError):
    """The storage does not answer, or refuses, or the disk of this machine fails; it may be tried again.

    ``reason`` is one sentence for the operator, which names the setting to look at. ``is_permanent``: it does not end
    before someone changes that setting.
    """

    def __init__(self, reason: str, is_permanent: bool = False) -> None:
        super().__init__("storage_unavailable", "The storage of recordings is temporarily unavailable; try again.")
        self.reason = reason
        self.is_permanent = is_permanent


class Storage(ABC):
    """All methods may raise OSError and StorageUnavailableError.

    ``abandoned_seconds``: how old a complete file is when it is removed because nothing in the database refers to it.
    """

    abandoned_seconds = 3600.0

    @abstractmethod
    def prepare(self) -> None:
        """Get ready, at the start of a process. Raises SettingsError if it can never work with these settings."""

    @abstractmethod
    def claim(self, database: str) -> None:
        """Make these the files of a database, which is named by its identifier.

        Raises SettingsError if they belong to another one, whose files must not be removed.
        """

    @abstractmethod
    def find_outage(self) -> str | None:
        """Return why files can now be neither read nor written, in one sentence; None if they can."""

    # --- Recordings: ``part`` is a file in cache/incoming/, which is gone afterwards ---

    @abstractmethod
    def keep(self, part: Path, identifier: str) -> None:
        """Make ``part`` the recording of a new task."""

    @abstractmethod
    def keep_upload(self, part: Path, token: str) -> None:
        """Keep ``part`` for tasks to come."""

    @abstractmethod
    def copy_recording(self, earlier: str, identifier: str) -> None:
        """Give the recording of the task ``earlier`` to a new task. Raises FileNotFoundError if it was removed."""

    @abstractmethod
    def copy_upload(self, token: str, identifier: str) -> None:
        """Give an upload to a new task. Raises FileNotFoundError if it was removed."""

    @abstractmethod
    def locate_download(self, identifier: str) -> Path:
        """Return the local folder that a recording is downloaded to, as ``source``."""

    @abstractmethod
    def keep_download(self, identifier: str) -> None:
        """Make a completed download the recording of its task."""

    # --- For the web side ---

    @abstractmethod
    def find(self, identifier: str, name: str) -> StoredFile:
        """Find a file of a task. Raises FileNotFoundError."""

    @abstractmethod
    def list_stems(self, identifier: str, claim_no: int) -> dict[str, StoredFile]:
        """Map names to the stems of one claim; empty if there are none."""

    # --- For a run ---

    @abstractmethod
    def locate(self, identifier: str) -> str:
        """Return what ``borrow`` needs to find the recording of a task."""

    @abstractmethod
    def borrow(
        self, source: str, identifier: str, claim_no: int, check: Callable[[], None]
    ) -> AbstractContextManager[str]:
        """Have the recording at a local path inside the block. ``check`` raises when the run is to stop."""

    @abstractmethod
    def locate_stems(self, identifier: str, claim_no: int) -> Path:
        """Return the local folder that a run writes its stems to, and can read them from until it ends."""

    @abstractmethod
    def write_stems(self, identifier: str, claim_no: int) -> AbstractContextManager[Path]:
        """Store the stems of a claim. If the block succeeds, it has made the folder of ``locate_stems``, durably."""

    @abstractmethod
    def write_file(self, identifier: str, claim_no: int, name: str) -> AbstractContextManager[Path]:
        """Store a file of a task. If the block succeeds, it has written to the path.

        Raises FileNotFoundError if the task was deleted; not every storage notices.
        """

    # --- Removal ---

    @abstractmethod
    def remove(self, identifier: str) -> bool:
        """Remove all files of a task. Return False when it has none."""

    @abstractmethod
    def remove_upload(self, token: str) -> None:
        """Remove an upload, if it is there."""

    @abstractmethod
    def remove_partial(self, identifier: str) -> None:
        """Remove all files of a task except its recording."""

    @abstractmethod
    def remove_claim(self, identifier: str, claim_no: int) -> None:
        """Remove the stems of one claim, and what it has not completed."""

    @abstractmethod
    def remove_earlier_stems(self, identifier: str, claim_no: int) -> None:
        """Remove the stems of all claims before ``claim_no``."""

    @abstractmethod
    def run_removal(self, remove: Callable[[], None]) -> None:
        """Call ``remove``, without making the caller wait for a network. It logs its own errors."""

    def discard(self, *identifiers: str) -> None:
        """Remove all files of tasks that nothing refers to. If that fails, the purge removes them later.

        A storage that does not answer is asked once, not for each task: a client may be waiting.
        """
        for identifier in identifiers:
            try:
                self.remove(identifier)
            except OSError as error:
                log.warning("task %s: files cannot be removed; the purge will try again: %s", identifier, error)
            except StorageUnavailableError as error:
                say = "task %s, of %d to be removed: files cannot be removed; the purge will try again: %s"
                log.warning(say, identifier, len(identifiers), error.reason)
                return

    def discard_upload(self, token: str) -> None:
        """Remove an upload that nothing refers to. If that fails, the purge removes it later."""
        try:
            self.remove_upload(token)
        except StorageUnavailableError as error:
            log.warning("an upload cannot be removed; the purge will try again: %s", error.reason)
        except OSError as error:
            log.warning(
                "an upload cannot be removed; the purge will try again: %s", error.strerror
            )  # its name is secret

    # --- Sweep: what crashes have left behind ---

    @abstractmethod
    def sweep_spool(self) -> None:
        """Remove the copies that runs of this machine have left, when one of its processes starts."""

    @abstractmethod
    def is_sweep_due(self) -> bool:
        """Whether to look for abandoned files now."""

    @abstractmethod
    def sweep(self, before: float) -> int:
        """Remove incomplete files that were last written before that time. Return their number."""

    @abstractmethod
    def list_abandoned(self, before: float) -> list[str]:
        """List tasks, by the identifiers of their files, of which no file was written since that time."""

    @abstractmethod
    def list_uploads(self, before: float) -> list[str]:
        """List the tokens of uploads that were written before that time."""
