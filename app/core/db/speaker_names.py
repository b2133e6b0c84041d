"""The names that clients give to the speakers of a task."""

from __future__ import annotations

import json
from collections.abc import Mapping

from app.core.db.states import COMPLETED
from app.core.db.tasks import Task, update_one


def change(uuid: str, changes: Mapping[str, str | None]) -> dict[str, str] | None:
    """Set names by label, and take back those that are None; return all names.

    Returns None, with nothing written, unless the task is COMPLETED.
    """
    while True:
        completed = (Task.uuid == uuid) & (Task.status == COMPLETED)
        known: str | None = Task.select(Task.speaker_names).where(completed).scalar()
        if known is None:
            return None
        merged = json.loads(known) | dict(changes)
        names = {label: name for label, name in sorted(merged.items()) if name is not None}
        changed = Task.update(speaker_names=json.dumps(names), changes=Task.changes + 1)
        # Only if another client has not changed them meanwhile: its names must not be lost.
        if update_one(changed.where(completed & (Task.speaker_names == known))):
            return names
