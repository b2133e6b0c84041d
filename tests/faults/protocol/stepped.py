"""Run the real code of workers/ one access ("touch") to the database or to cache/ at a time, to let other events happen between.

Code in progress is stored as the list of answers that it received so far. To continue, it runs again from its beginning,
receives those answers, makes one real touch, and is interrupted before the next.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest

from app.core.db import leases, retention, tasks
from app.core.db.tasks import Claim
from app.core.settings import Cache, Settings, Tasks
from tests.faults.protocol.snapshots import Folder, Rows, Seen, Snapshots, Touch
from workers.device.protocol import Failure, Outcome
from workers.supervisor import cleanup, purge, settlement

VERDICTS = OUTCOME, FAILURE, LOST, LOST_BESIDE, NODE_LOST, NOTHING, AWAY = (
    "outcome",
    "failure",
    "lost",
    "lost beside others",
    "lost with its node",
    "nothing",
    "storage away",
)


class Script(NamedTuple):
    """A call in progress: its name, its object, and the answers so far."""

    does: str
    to: Any
    answers: tuple[Any, ...] = ()


class Going(NamedTuple):
    """The state after one touch; ``script`` is None if the call has ended."""

    script: Script | None
    rows: Rows
    folders: tuple[Folder, ...]
    label: str = ""
    touch: Touch | None = None


class _SuspendedError(BaseException):
    """Interrupts a script before its next touch; not an Exception, which the code might handle."""


class Stepper:
    """Calls code of workers/ on ``snapshots``; ``patch`` replaces the functions that it uses by touches."""

    def __init__(self, snapshots: Snapshots, patch: pytest.MonkeyPatch) -> None:
        self._snapshots = snapshots
        self._known: dict[Any, Going] = {}
        cache = Cache(path=snapshots.cache, ttl=1)
        settings = Settings(cache=cache)
        storage: Any = SimpleNamespace(
            run_removal=lambda remove: remove(),
            **{name: self._file(name) for name in ("remove", "discard", "remove_partial", "remove_claim")},
        )
        self._programs: dict[str, Callable[[Any], object]] = {
            "settle": lambda to: settlement.settle(settings, to[0], _verdict(*to)),
            "recover": lambda leases: settlement.take_over_lost(settings, list(leases)),
            "give back": lambda to: settlement.requeue_unknown(settings, to[0], set(to[1])),
            "abandon": lambda claim: settlement.clean_up_run(settings, claim),
            "purge": lambda _: purge.purge_finished(storage, cache),
            "forget": lambda _: purge.delete_expired(storage, Tasks(ttl=1)),
            # the purge's two steps for one old folder, and the two of DELETE /task/<identifier>
            "sweep": lambda identifier: purge.retention.keeps_files(identifier) or storage.remove(identifier),
            "delete": lambda identifier: self._delete_row(identifier) and storage.discard(identifier),
        }
        self._delete_row = self._row(tasks, "delete")
        replaced = {
            (settlement, "tasks"): self._rows_of(tasks, "complete", "fail", "requeue", "postpone", "list_held"),
            (settlement, "leases"): self._rows_of(leases, "retry_or_fail", "retry_elsewhere", "take_over"),
            (settlement, "open_storage"): lambda _: storage,
            (cleanup, "tasks"): self._rows_of(tasks, "get"),
            (purge, "retention"): self._rows_of(
                retention, "list_purgeable", "mark_purged", "list_expired", "delete_ended", "keeps_files"
            ),
        }
        for (module, name), ours in replaced.items():
            patch.setattr(module, name, ours)

    def go_on(self, script: Script, rows: Rows, folders: tuple[Folder, ...]) -> Going:
        """Run ``script`` up to its next touch."""
        key = (script, rows, folders)
        if key not in self._known:
            self._known[key] = self._gone_on(script, rows, folders)
        return self._known[key]

    def _gone_on(self, script: Script, rows: Rows, folders: tuple[Folder, ...]) -> Going:
        self._script, self._answered = script, 0
        self._going = Going(script, rows, folders)
        try:
            self._programs[script.does](script.to)
        except _SuspendedError:
            return self._going
        return self._going._replace(script=None)

    def _rows_of(self, module: ModuleType, *names: str) -> SimpleNamespace:
        return SimpleNamespace(**{name: self._row(module, name) for name in names})

    def _row(self, module: ModuleType, name: str) -> Callable[..., Any]:
        def touch(*arguments: Any, **named: Any) -> Any:
            if not self._answers_known():
                touched = self._snapshots.call(self._going.rows, getattr(module, name), *arguments, **named)
                self._note(touched.answer, f"{name} → {touched.answer}", rows=touched.rows, touch=touched)
            return _thawed(name, self._answer())

        return touch

    def _file(self, name: str) -> Callable[..., Any]:
        def touch(identifier: str, *claim_no: int) -> Any:
            if not self._answers_known():
                place, remove = self._snapshots.identifiers.index(identifier), getattr(self._snapshots.storage, name)
                left = list(self._going.folders)
                left[place] = self._snapshots.disk(left[place], identifier, remove, identifier, *claim_no)
                self._note(None, f"storage.{name}", folders=tuple(left))
            return self._answer()

        return touch

    def _answers_known(self) -> bool:
        assert self._going.script is not None
        if self._answered < len(self._going.script.answers):
            return True
        if self._going.label:
            raise _SuspendedError
        return False

    def _note(self, answer: Any, label: str, **changes: Any) -> None:
        script = self._script._replace(answers=(*self._script.answers, answer))
        self._going = self._going._replace(script=script, label=label, **changes)

    def _answer(self) -> Any:
        assert self._going.script is not None
        self._answered += 1
        return self._going.script.answers[self._answered - 1]


def _verdict(claim: Claim, word: str) -> settlement.Verdict:
    if word == OUTCOME:
        return Outcome("filepath", str(claim.claim_no), [], 1.0, {})
    if word == FAILURE:
        return Failure("invalid_media", "It cannot be decoded.", [], 1.0, {})
    if word == AWAY:
        return Failure("storage_unavailable", "The storage does not answer.", [], 1.0, {})
    if word == NODE_LOST:
        return settlement.NodeLost("It was cut off.", [])
    return None if word == NOTHING else Failure("worker_crashed", "It died.", [], None, {})


def _thawed(name: str, answer: Any) -> Any:
    if name == "list_held":
        return set(answer)
    if name in ("list_purgeable", "list_expired"):
        return list(answer)
    return answer.thawed() if isinstance(answer, Seen) else answer
