"""A run has its recording at a local path; a storage that does not give it fails the run, not the process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.params import VadParams
from app.core.settings import Settings
from app.core.storage.folder import Folder
from app.core.storage.storage import StorageUnavailableError
from workers.device.execution import execute
from workers.device.protocol import Ended, Failure, Job, Outcome, Slot
from workers.device.run import Run
from workers.models.cache import WarmModels

SLOT = Slot(0, "cpu", None, 1)


def run_job(monkeypatch: pytest.MonkeyPatch, borrow: Any, pipeline: Any = None) -> Any:
    """Execute a job whose recording is given by ``borrow``."""
    settings = Settings()
    run: Run[Any] = Run(
        Job("u", 3, "vad", VadParams(), ["said before"], "u/source"), SLOT, settings, WarmModels(SLOT, settings), print
    )
    monkeypatch.setattr(Folder, "borrow", borrow)
    return execute(run, SimpleNamespace(run=pipeline or (lambda _: pytest.fail("it has no recording")), MODEL_KINDS=()))


def test_pipeline_reads_the_borrowed_copy_until_its_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    copy, asked = tmp_path / "copy", []

    @contextlib.contextmanager
    def borrow(storage: Folder, *arguments: Any) -> Iterator[str]:
        asked.append(arguments[:3])
        copy.write_bytes(b"sound")
        yield str(copy)
        copy.unlink()

    def read(run: Any) -> tuple[str, str]:
        return "json", Path(run.job.source).read_text()

    verdict = run_job(monkeypatch, borrow, read)
    assert isinstance(verdict, Outcome) and verdict.result == "sound"
    assert asked == [("u/source", "u", 3)] and not copy.exists()


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StorageUnavailableError("It does not answer."), "storage_unavailable"),
        (FileNotFoundError("there is no such object"), "internal_error"),
    ],
)
def test_recording_that_is_not_given_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    @contextlib.contextmanager
    def borrow(*_: Any) -> Iterator[str]:
        raise error
        yield ""

    verdict = run_job(monkeypatch, borrow)
    assert isinstance(verdict, Failure)
    assert (verdict.code, verdict.warnings) == (code, ["said before"]) and verdict.duration is not None


def test_run_that_is_stopped_during_its_download_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def borrow(storage: Folder, source: str, identifier: str, claim_no: int, check: Any) -> Iterator[str]:
        check.__self__.stopped = True
        check()
        yield ""

    assert isinstance(run_job(monkeypatch, borrow), Ended)
