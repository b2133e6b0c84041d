"""The console's libraries are unchanged, licensed copies, and another file gives another digest."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

from app.api.console import LIBRARIES
from app.assets import STATIC, read_assets

VENDOR = STATIC / "vendor"
OURS = {"FILES.sha256", "package.json", "package-lock.json"}
MOST_OF_LIBRARIES = 33_000  # compressed: of the libraries and the styles
MOST_OF_LIST = 50_000  # of all that the list of recordings loads
MOST_OF_ALL = 105_000  # with the page of a recording
IMPORT = re.compile(r"""(?:\bfrom|^import)\s*"([^"]+)"|\bimport\("([^"]+)"\)""", re.MULTILINE)
# All of these make markup or code of text.
FORBIDDEN = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(|dangerously")


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


def list_imports(module: str, later: bool) -> set[str]:
    """List the modules that ``module`` needs, itself included; with ``later``, also those that it imports when it runs."""
    found, waiting = set[str](), [module]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        for at_once, when_run in IMPORT.findall((STATIC / name).read_text()):
            wanted = at_once or (when_run if later else "")
            if wanted in LIBRARIES:
                waiting.append(f"vendor/{LIBRARIES[wanted]}")
            elif wanted:
                waiting.append((STATIC / name).parent.joinpath(wanted).resolve().relative_to(STATIC).as_posix())
    return found


def test_page_is_small() -> None:
    assets = read_assets()
    for names, most in (
        (LIBRARIES.values(), MOST_OF_LIBRARIES),
        (list_imports("console/main.js", later=False), MOST_OF_LIST),
        (list_imports("console/main.js", later=True), MOST_OF_ALL),
    ):
        known = [f"vendor/{name}" if f"vendor/{name}" in assets.packed else name for name in names]
        sizes = [len(assets.packed[name]) for name in {*known, *assets.list_styles()}]
        assert sum(sizes) <= most
    used = {*list_imports("console/main.js", later=True), *assets.list_styles()}
    assert used == set(assets.types), "every file is used"


def test_own_modules_make_neither_markup_nor_code_of_text() -> None:
    modules = list((STATIC / "console").rglob("*.js"))
    assert len(modules) > 50
    for module in modules:
        assert not FORBIDDEN.search(module.read_text()), module.name
