"""Remove the files that a run leaves behind.

Errors are logged; the purge tries again.
"""

from __future__ import annotations

import logging
from pathlib import Path

from app.core.db import tasks
from app.core.db.states import CANCELLED
from app.core.db.tasks import Claim
from app.core.storage.paths import listening_folder, stems_folder
from app.core.storage.removal import remove_folder, remove_partial, remove_partial_files, remove_stems

log = logging.getLogger(__name__)


def remove_claim_files(cache: Path, claim: Claim) -> None:
    """Remove the stems of one claim, and what it has not completed.

    Call it only after the process of the claim has ended. Stems of other claims stay.
    """
    try:
        remove_stems(stems_folder(cache, claim.uuid, claim.claim_no))
        remove_partial_files(listening_folder(cache, claim.uuid), claim.claim_no)
    except OSError as error:
        _log_failure(claim.uuid, error)


def remove_unwanted_files(cache: Path, uuid: str) -> None:
    """Remove the files of a cancelled or deleted task.

    Any other task keeps its files: another supervisor may be working on it.
    """
    row = tasks.get(uuid)
    try:
        if row is None:
            remove_folder(cache, uuid)
        elif row.status == CANCELLED:
            remove_partial(cache, uuid)
    except OSError as error:
        _log_failure(uuid, error)


def _log_failure(uuid: str, error: OSError) -> None:
    log.warning("task %s: files cannot be removed; the purge will try again: %s", uuid, error)
