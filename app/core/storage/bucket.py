"""Keep the files of tasks in a bucket, which all machines reach.

An object appears as a whole or not at all, so it needs no other name until it is complete. The row of a task says which of
its stems are valid: those of the claim that completed. Local files are only on their way: in cache/incoming/ while a
recording is received, in cache/spool/ while a run or a download uses them.
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

from app.core.errors import SettingsError
from app.core.storage.background import Background
from app.core.storage.bucket_file import BucketFile
from app.core.storage.download import download, explain_disk
from app.core.storage.folder import is_identifier, is_older, sweep_incoming
from app.core.storage.locked import hold, remove_unlocked
from app.core.storage.object_store import ObjectStore
from app.core.storage.own_names import is_stored, is_token
from app.core.storage.paths import SOURCE, STEMS, UPLOADS, stems_name
from app.core.storage.spool import Spool
from app.core.storage.storage import Storage, StorageUnavailableError
from app.core.storage.store_probe import StoreProbe
from app.core.storage.stored_file import StoredFile

log = logging.getLogger(__name__)

DOWNLOADS = "downloads"  # in cache/
SWEEP_SECONDS = 600.0  # a sweep lists all objects
SPOOL_SECONDS = 60.0  # a folder is locked a moment after it was made
UPLOAD_HOURS = 24  # that an upload may take; then its parts are removed
DAY = 86_400.0


class Bucket(Storage):
    """``brief`` is the same store with less patience, for what clients wait for.

    ``floor``: bytes of the local disk to leave free. ``redirects``: clients read from the store directly.
    """

    # Storing a batch may take hours, and its rows are committed after the last recording.
    abandoned_seconds = DAY

    def __init__(
        self, store: ObjectStore, brief: ObjectStore, probe: StoreProbe, cache: Path, floor: float, redirects: bool
    ) -> None:
        self._store = store
        self._brief = brief
        self._probe = probe
        self._cache = cache
        self._floor = floor
        self._redirects = redirects
        self._spool = Spool(cache)
        self._removals = Background("removal from the storage")
        self._swept: float | None = None
        self._database: str | None = None
        self._is_claimed = False

    def prepare(self) -> None:
        self._cache.mkdir(parents=True, exist_ok=True)
        problem = self._probe.find_outage()
        if problem is not None and problem.is_permanent:
            raise SettingsError(problem.reason)
        # No worker may run on a machine of the web side. After a day, even a clock that is off does no harm.
        self._sweep_local(time.time() - DAY)

    def claim(self, database: str) -> None:
        self._database = database
        try:
            self._confirm_claim()
        except StorageUnavailableError as error:
            if error.is_permanent:
                raise SettingsError(error.reason) from error

    def _confirm_claim(self) -> None:
        """Raise StorageUnavailableError unless these are the files of our database: only then may any be swept."""
        if self._database is None:
            raise RuntimeError("the bucket was not claimed for a database")
        self._probe.claim(self._database)
        self._is_claimed = True

    def find_outage(self) -> str | None:
        problem = self._probe.find_outage()
        if problem is None and not self._is_claimed:  # the store was away at the start
            try:
                self._confirm_claim()
            except StorageUnavailableError as error:
                problem = error
        return problem.reason if problem is not None else None

    def keep(self, part: Path, identifier: str) -> None:
        with hold(part):
            self._store.put(part, f"{identifier}/{SOURCE}")
        part.unlink()

    def keep_upload(self, part: Path, token: str) -> None:
        with hold(part):
            self._store.put(part, f"{UPLOADS}/{token}")
        part.unlink()

    def copy_recording(self, earlier: str, identifier: str) -> None:
        self._store.copy(f"{earlier}/{SOURCE}", f"{identifier}/{SOURCE}")

    def copy_upload(self, token: str, identifier: str) -> None:
        self._store.copy(f"{UPLOADS}/{token}", f"{identifier}/{SOURCE}")

    def locate_download(self, identifier: str) -> Path:
        folder = self._cache / DOWNLOADS
        folder.mkdir(exist_ok=True)
        return folder / identifier

    def keep_download(self, identifier: str) -> None:
        folder = self.locate_download(identifier)
        os.utime(folder)  # no sweep removes it while its store is away
        with hold(folder):
            self._store.put(folder / SOURCE, f"{identifier}/{SOURCE}")
        shutil.rmtree(folder)

    def find(self, identifier: str, name: str) -> StoredFile:
        return BucketFile(self._brief, self._brief.stat(f"{identifier}/{name}"), self._redirects)

    def list_stems(self, identifier: str, claim_no: int) -> dict[str, StoredFile]:
        found = self._brief.list(f"{identifier}/{stems_name(claim_no)}/")
        files = [BucketFile(self._brief, entry, self._redirects) for entry in found]
        return {file.name: file for file in files}

    def locate(self, identifier: str) -> str:
        return f"{identifier}/{SOURCE}"

    @contextlib.contextmanager
    def borrow(self, source: str, identifier: str, claim_no: int, check: Callable[[], None]) -> Iterator[str]:
        name = _name_run(identifier, claim_no)
        with contextlib.ExitStack() as opened:
            with explain_disk(self._spool.locate(name)):
                folder = opened.enter_context(self._spool.open_folder(name))
            download(self._store, source, folder / SOURCE, self._floor, check)
            yield str(folder / SOURCE)

    def locate_stems(self, identifier: str, claim_no: int) -> Path:
        return self._spool.locate(_name_run(identifier, claim_no)) / stems_name(claim_no)

    @contextlib.contextmanager
    def write_stems(self, identifier: str, claim_no: int) -> Iterator[Path]:
        folder = self.locate_stems(identifier, claim_no)
        with explain_disk(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
        yield folder
        for path in sorted(folder.iterdir()):
            self._store.put(path, f"{identifier}/{folder.name}/{path.name}")

    @contextlib.contextmanager
    def write_file(self, identifier: str, claim_no: int, name: str) -> Iterator[Path]:
        path = self._spool.locate(_name_run(identifier, claim_no)) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield path
            self._store.put(path, f"{identifier}/{name}")
        finally:
            path.unlink(missing_ok=True)

    def remove(self, identifier: str) -> bool:
        shutil.rmtree(self._cache / DOWNLOADS / identifier, ignore_errors=True)  # it is there on one machine at most
        return bool(self._brief.remove_all(f"{identifier}/"))

    def remove_upload(self, token: str) -> None:
        self._brief.remove(f"{UPLOADS}/{token}")

    def remove_partial(self, identifier: str) -> None:
        self._store.remove_all(f"{identifier}/", but=lambda key: key == f"{identifier}/{SOURCE}")

    def remove_claim(self, identifier: str, claim_no: int) -> None:
        self._spool.remove(_name_run(identifier, claim_no))  # a run that was killed has left it
        self._store.remove_all(f"{identifier}/{stems_name(claim_no)}/")

    def remove_earlier_stems(self, identifier: str, claim_no: int) -> None:
        def is_later(key: str) -> bool:
            return int(key.split("/")[1].removeprefix(f"{STEMS}-")) >= claim_no

        self._store.remove_all(f"{identifier}/{STEMS}-", but=is_later)

    def run_removal(self, remove: Callable[[], None]) -> None:
        self._removals.run(remove)

    def is_sweep_due(self) -> bool:
        now = time.monotonic()
        if self._swept is not None and now - self._swept < SWEEP_SECONDS:
            return False
        self._swept = now
        return True

    def sweep_spool(self) -> None:
        try:
            self._spool.sweep(time.time() - SPOOL_SECONDS)
        except OSError as error:
            log.warning("storage: what runs have left in %s cannot be removed: %s", self._cache, error)

    def sweep(self, before: float) -> int:
        swept = self._sweep_local(before)
        self._confirm_claim()
        began = datetime.fromtimestamp(before, timezone.utc) - timedelta(hours=UPLOAD_HOURS)
        return swept + self._probe.sweep(before) + self._abort_uploads(began)

    def _abort_uploads(self, before: datetime) -> int:
        try:
            return self._store.abort_uploads(before, is_stored)
        except (StorageUnavailableError, FileNotFoundError) as error:  # not all keys have this right, nor do all stores
            log.warning("storage: parts of uploads that never ended cannot be removed: %s", error)
            return 0

    def _sweep_local(self, before: float) -> int:
        folders = list((self._cache / DOWNLOADS).glob("*"))
        old = [folder for folder in folders if all(is_older(path, before) for path in folder.glob("*"))]
        return (
            sum(remove_unlocked(folder, before) for folder in old)
            + sweep_incoming(self._cache, before)
            + self._spool.sweep(before)
        )

    def list_abandoned(self, before: float) -> list[str]:
        self._confirm_claim()
        newest: dict[str, float] = {}
        for entry in self._store.list():
            identifier, at = entry.key.partition("/")[0], entry.modified.timestamp()
            if is_identifier(identifier):
                newest[identifier] = max(at, newest.get(identifier, at))
        return [identifier for identifier, at in newest.items() if at < before]

    def list_uploads(self, before: float) -> list[str]:
        self._confirm_claim()
        found = self._store.list(f"{UPLOADS}/")
        tokens = [entry.key.partition("/")[2] for entry in found if entry.modified.timestamp() < before]
        return [token for token in tokens if is_token(token)]


def _name_run(identifier: str, claim_no: int) -> str:
    return f"{identifier}-{claim_no}"
