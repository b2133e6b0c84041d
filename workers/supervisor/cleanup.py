"""Remove the files of an attempt that came to no result; those of any other attempt are not touched."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from app.core.db.tasks import Claim
from app.core.storage.paths import PARTIAL, stems_of

log = logging.getLogger(__name__)


def remove(cache: Path, claim: Claim) -> None:
    """Call it once nothing runs for the claim any more."""
    folder = stems_of(cache, claim.uuid, claim.claim_no)
    for left in (folder, folder.with_name(folder.name + PARTIAL)):
        try:
            if left.exists():
                shutil.rmtree(left)
        except OSError as error:  # the purge comes back for it
            log.warning("task %s: %s cannot be removed: %s", claim.uuid, left.name, error.strerror)
