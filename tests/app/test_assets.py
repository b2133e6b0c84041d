"""The console's libraries are unchanged, licensed copies, and another file gives another digest."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
from pathlib import Path

from app.api.console import LIBRARIES
from app.assets import STATIC, read_assets

VENDOR = STATIC / "vendor"
OURS = {"FILES.sha256", "package.json", "package-lock.json"}
MOST_BYTES = 26_000  # of the libraries, compressed


def test_libraries_are_those_that_were_copied() -> None:
    lines = (VENDOR / "FILES.sha256").read_text().splitlines()
    digests = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    assert {path.name for path in VENDOR.iterdir()} == {*digests, *OURS}
    assert digests == {name: hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() for name in digests}


def test_each_library_has_its_licence_and_exact_version() -> None:
    described = json.loads((VENDOR / "package.json").read_text())
    packages = json.loads((VENDOR / "package-lock.json").read_text())["packages"]
    locked = {name.removeprefix("node_modules/"): package for name, package in packages.items() if name}
    assert {name: package["version"] for name, package in locked.items()} == described["dependencies"]
    assert all(package["integrity"].startswith("sha512-") for package in locked.values())
    sources = {source.partition("/")[0]: name for name, source in described["vendored"].items() if "LICENSE" in name}
    assert set(sources) == set(locked)
    assert set(LIBRARIES.values()) <= set(described["vendored"])


def test_another_file_gives_another_digest(tmp_path: Path) -> None:
    shutil.copytree(STATIC, tmp_path / "static")
    first = read_assets(tmp_path / "static").digest
    assert read_assets(tmp_path / "static").digest == first == read_assets().digest
    (tmp_path / "static" / "console").mkdir(exist_ok=True)
    (tmp_path / "static" / "console" / "another.css").write_text("p {}")
    changed = read_assets(tmp_path / "static")
    assert changed.digest != first and "console/another.css" in changed.list_styles()
    (tmp_path / "static" / "console" / "another.css").rename(tmp_path / "static" / "console" / "other.css")
    assert read_assets(tmp_path / "static").digest not in (first, changed.digest)


def test_libraries_are_small() -> None:
    loaded = [gzip.compress((VENDOR / name).read_bytes()) for name in LIBRARIES.values()]
    assert sum(map(len, loaded)) <= MOST_BYTES
