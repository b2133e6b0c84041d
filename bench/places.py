"""A temporary folder and a real service in it, both removed afterwards."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.service import Service, running


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="speech-bench-", ignore_cleanup_errors=True) as name:
        place = Path(name)
        try:
            yield place
        finally:
            for process in started_in(place):
                with contextlib.suppress(psutil.Error):
                    process.kill()


@contextlib.contextmanager
def service() -> Iterator[Service]:
    """Its device process has run a task, so no figure holds the time that it takes to start."""
    with folder() as place, running(place) as started:
        started.finished(started.submit())
        yield started


def started_in(place: Path) -> list[psutil.Process]:
    """List the live processes whose CACHE_DIR is under ``place``.

    The environment finds them even after their parent has exited.
    """
    return [process for process in psutil.process_iter() if _cache_of(process).startswith(f"{place}/")]


def _cache_of(process: psutil.Process) -> str:
    try:
        is_zombie = process.status() == psutil.STATUS_ZOMBIE
        return "" if is_zombie else process.environ().get("CACHE_DIR", "")
    except (psutil.Error, OSError):
        return ""
