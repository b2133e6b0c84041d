"""Libraries are imported in one thread at a time; what is imported already need not wait."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from workers.device import libraries
from workers.device.libraries import import_library

PATIENCE = 10.0


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """A module ``slow_library`` whose import ends with this event."""
    released = threading.Event()
    monkeypatch.setattr(libraries, "released", released, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    code = f"from workers.device import libraries\nassert libraries.released.wait({PATIENCE})\n"
    (tmp_path / "slow_library.py").write_text(code)
    (tmp_path / "other_library.py").write_text("")
    return released


def test_imported_library_does_not_wait_for_one_that_is_being_imported(slow: threading.Event) -> None:
    import_library("json")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(import_library, "slow_library")
        while libraries._importing.acquire(blocking=False):  # until that thread has it
            libraries._importing.release()
        assert threads.submit(import_library, "json").result(PATIENCE).__name__ == "json"
        second = threads.submit(import_library, "other_library")
        assert not second.done()
        slow.set()
        assert first.result(PATIENCE).__name__ == "slow_library"
        assert second.result(PATIENCE).__name__ == "other_library"


def test_unneeded_package_is_hidden_during_the_import_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "optional_package.py").write_text("")
    code = "try:\n    import optional_package\n    found = True\nexcept ImportError:\n    found = False\n"
    (tmp_path / "first_library.py").write_text(code)
    (tmp_path / "second_library.py").write_text(code)
    assert import_library("first_library", ["optional_package"]).found is False
    assert import_library("second_library").found is True


def test_library_is_there_once_another_thread_has_imported_it(slow: threading.Event) -> None:
    with ThreadPoolExecutor(1) as threads:
        with libraries._importing:  # the thread that imports one library after the other
            waiting = threads.submit(import_library, "third_library")
            libraries._imported["third_library"] = threading
            assert waiting.result(PATIENCE) is threading
        del libraries._imported["third_library"]
