"""Remove the files that a run leaves behind.

Errors are logged; the purge tries again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial

from app.core.db import tasks
from app.core.db.states import CANCELLED
from app.core.db.tasks import Claim
from app.core.storage.storage import Storage, StorageUnavailableError

log = logging.getLogger(__name__)


def remove_claim_files(storage: Storage, claim: Claim) -> None:
    """Remove the stems of one claim, and what it has not completed.

    Call it only after the process of the claim has ended. Stems of other claims stay.
    """
    storage.run_removal(partial(_try, claim.uuid, partial(storage.remove_claim, claim.uuid, claim.claim_no)))


def remove_unwanted_files(storage: Storage, uuid: str) -> None:
    """Remove the files of a cancelled or deleted task.

    Any other task keeps its files: another supervisor may be working on it.
    """
    row = tasks.get(uuid)
    if row is None:
        storage.run_removal(partial(_try, uuid, partial(storage.remove, uuid)))
    elif row.status == CANCELLED:
        storage.run_removal(partial(_try, uuid, partial(storage.remove_partial, uuid)))


def _try(uuid: str, remove: Callable[[], object]) -> None:
    try:
        remove()
    except (OSError, StorageUnavailableError) as error:
        log.warning("task %s: files cannot be removed; the purge will try again: %s", uuid, error)
