"""Make revisions of a transcript, read old ones, and undo.

Every revision is stored with the number of the one that it was made from: of several clients that edit at once, one
succeeds, and the others learn what it changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.core.db import results, revisions
from app.core.db.results import Result
from app.editing.edits import Change, Edit, Segment, apply_changes, invert, make_changes, write_json

MOST_REVISIONS = 10_000  # of one task
Numbered = list[tuple[int, Segment | None]]  # segment id and segment; None for a removed one


class RevisionError(ValueError):
    """There is no such revision, or none to undo."""


class DeletedError(Exception):
    """The task has just been deleted."""


class EditedMeanwhileError(Exception):
    """Another client has made revision ``latest``; ``changed`` are the segments that differ, as they are now."""

    def __init__(self, latest: int, changed: Numbered) -> None:
        super().__init__(f"revision {latest}")
        self.latest = latest
        self.changed = changed


@dataclass(frozen=True)
class Revised:
    """A new revision and the segments that it changed."""

    revision: int
    changed: Numbered


def edit(latest: Result, revision: int, edits: Sequence[Edit], audio_seconds: float | None) -> Revised:
    """Make a revision of ``revision``, if that is still the ``latest``. Nothing is stored if nothing changes.

    Raises EditError, RevisionError and EditedMeanwhileError.
    """
    _require_latest(latest, revision)
    segments = json.loads(latest.result)
    changes = make_changes(segments, edits, audio_seconds)
    return _store(latest, segments, changes, revision + 1) if changes else Revised(revision, [])


def undo(latest: Result, revision: int) -> Revised:
    """Make a revision with the text before the last change that is not undone yet.

    Raises RevisionError and EditedMeanwhileError.
    """
    _require_latest(latest, revision)
    shown = revisions.get(latest.task, revision)
    undone = revisions.get(latest.task, shown.content) if shown is not None else None
    if undone is None:
        raise RevisionError("There is no change to undo.")
    base = revisions.get(latest.task, undone.number - 1)
    changes = invert([_read_change(change) for change in json.loads(undone.changes)])
    return _store(latest, json.loads(latest.result), changes, base.content if base is not None else 0)


def read_result(latest: Result, revision: int | None) -> Result:
    """Return the result at ``revision``; None for the latest.

    Raises RevisionError.
    """
    if revision is None or revision == latest.revision:
        return latest
    original = results.get_original(latest.task)
    if revision > latest.revision or original is None:
        raise RevisionError(f"There is no such revision; the latest is {latest.revision}.")
    if revision > 0:
        segments = json.loads(original.result)
        for changes in _read_changes(latest.task, 0, revision):
            segments = apply_changes(segments, changes)
        original.result = write_json(segments)
        original.revision = revision
    return original


def _require_latest(latest: Result, revision: int) -> None:
    if revision > latest.revision:
        raise RevisionError(f"There is no such revision; the latest is {latest.revision}.")
    if revision < latest.revision:
        raise EditedMeanwhileError(latest.revision, _list_changed(latest, revision))
    if revision >= MOST_REVISIONS:
        raise RevisionError(f"A transcript has at most {MOST_REVISIONS} revisions.")


def _list_changed(latest: Result, revision: int) -> Numbered:
    """List the segments that differ since ``revision``, as they are now."""
    touched = {change[0] for changes in _read_changes(latest.task, revision, latest.revision) for change in changes}
    now = {segment["id"]: segment for segment in json.loads(latest.result)}
    return [(identifier, now.get(identifier)) for identifier in sorted(touched)]


def _store(latest: Result, segments: Sequence[Segment], changes: Sequence[Change], content: int) -> Revised:
    number = latest.revision + 1
    result = write_json(apply_changes(segments, changes))
    if not revisions.add(latest.task, number, write_json(changes), len(changes), result, content):
        now = results.get(latest.task)
        if now is None:
            raise DeletedError
        raise EditedMeanwhileError(now.revision, _list_changed(now, latest.revision))
    return Revised(number, [(identifier, after) for identifier, _, after in changes])


def _read_changes(uuid: str, after: int, until: int) -> Iterable[list[Change]]:
    return ([_read_change(each) for each in json.loads(text)] for text in revisions.read_changes(uuid, after, until))


def _read_change(stored: list[object]) -> Change:
    identifier, before, after = stored
    return identifier, before, after  # type: ignore[return-value]  # as written by _store
