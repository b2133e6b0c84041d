"""Which stems clients of a completed task get, by the function that the web side calls."""

from __future__ import annotations

from app.core.db.tasks import Task
from app.formats import stem_archive
from tests.faults.protocol.snapshots import Folder, Row, Snapshots


class Published:
    """Finds them in real folders. They depend on the row and the names in the folder, and are cached."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots
        self._known: dict[tuple[int, Folder], frozenset[str]] = {}

    def find(self, row: Row, folder: Folder) -> frozenset[str]:
        """Return the names in ``folder`` from which the stems of ``row`` come."""
        key = row.claim_no, folder
        if key not in self._known:
            identifier = self._snapshots.identifiers[0]
            path = self._snapshots.make_folder(folder, identifier)
            for name in folder or ():
                (path / name / name).touch()  # a stem that says where it comes from
            stems = stem_archive.find_stems(self._snapshots.storage, Task(uuid=identifier, claim_no=row.claim_no))
            self._known[key] = frozenset(stems)
        return self._known[key]
