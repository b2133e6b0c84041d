"""Imports are declared; the lock files pin one version with checksums for every supported Python."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.service import ROOT

RUNTIME, DEVELOPMENT = "requirements", "requirements-dev"
distributions_of = cache(metadata.packages_distributions)
MACHINES = [(f"3.{minor}", processor) for minor in range(10, 14) for processor in ("x86_64", "aarch64")]
OURS = [place for place in ROOT.iterdir() if place.suffix == ".py" or (place / "__init__.py").exists()]
UNSHIPPED = [ROOT / "tests", ROOT / "bench", ROOT / "models/mini/training"]


def modules(places: list[Path]) -> list[Path]:
    return [file for place in places for file in (place.rglob("*.py") if place.is_dir() else [place])]


def imported(file: Path) -> Iterator[str]:
    """The full names of what a module imports, inside functions as well."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_extension(name: str) -> list[str]:
    """The distributions that provide a module as one file of machine code, which Python 3.11 does not find."""
    return [
        one.metadata["Name"]
        for one in metadata.distributions()
        if any(str(file).startswith(f"{name}.") and file.suffix == ".so" for file in one.files or [])
    ]


@cache
def providers(name: str) -> frozenset[str]:
    """The installed distributions that provide a module; several share a namespace such as ``pyannote``."""
    top, _, below = name.partition(".")
    found = set(distributions_of().get(top, []) or find_extension(top))
    if len(found) > 1:
        folder = f"{top}/{below.partition('.')[0]}"
        found = {
            one
            for one in found
            if any(str(file).startswith((f"{folder}/", f"{folder}.")) for file in metadata.files(one) or [])
        }
    return frozenset(canonicalize_name(one) for one in found)


def undeclared(places: list[Path], declared: set[str]) -> list[str]:
    files = modules(places)
    assert files
    local = {place.stem for place in OURS + modules([ROOT / "models/mini/training"])}
    foreign = {
        (name, str(file.relative_to(ROOT)))
        for file in files
        for name in imported(file)
        if name.partition(".")[0] not in local | sys.stdlib_module_names
    }
    return sorted(f"{file}: {name}" for name, file in foreign if not providers(name) & declared)


def ranges(name: str) -> list[Requirement]:
    """The requirements of a .txt file and of the files it includes."""
    found = []
    for line in (ROOT / f"{name}.txt").read_text().splitlines():
        if line.startswith("-r "):
            found += ranges(line[3:].removesuffix(".txt"))
        elif line and not line.startswith("#"):
            found.append(Requirement(line))
    return found


def declared(name: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in ranges(name)}


def entries(name: str) -> list[str]:
    """The requirements of a lock file with their options, without comments."""
    lines = [line for line in (ROOT / f"{name}.lock").read_text().splitlines() if not line.lstrip().startswith("#")]
    return "\n".join(lines).replace("\\\n", " ").splitlines()


def pinned(name: str, python: str, processor: str) -> dict[str, str]:
    """The version of each distribution that a lock file installs on this Python and processor."""
    machine = {
        "python_version": python,
        "python_full_version": f"{python}.4",
        "platform_machine": processor,
        "sys_platform": "linux",
        "platform_system": "Linux",
    }
    found: dict[str, str] = {}
    for entry in entries(name):
        requirement = Requirement(entry.partition(" --hash")[0])
        if requirement.marker is None or requirement.marker.evaluate(machine):
            assert requirement.name not in found, f"two versions of {requirement.name}"
            found[requirement.name] = str(requirement.specifier).removeprefix("==")
    return found


def test_runtime_imports_are_declared() -> None:
    assert not undeclared([place for place in OURS if place not in UNSHIPPED], declared(RUNTIME))


def test_development_imports_are_declared() -> None:
    assert not undeclared(UNSHIPPED, declared(DEVELOPMENT))


@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_every_lock_entry_has_a_version_and_checksums_and_no_url(name: str) -> None:
    assert entries(name)
    for entry in entries(name):
        assert re.fullmatch(r"[a-z0-9-]+==[\w.]+ ; [^@:]+?(\s+--hash=sha256:[0-9a-f]{64})+", entry), entry


@pytest.mark.parametrize(("python", "processor"), MACHINES)
@pytest.mark.parametrize("name", [RUNTIME, DEVELOPMENT])
def test_locked_versions_are_within_the_declared_ranges(name: str, python: str, processor: str) -> None:
    versions = pinned(name, python, processor)
    wanted = [
        requirement
        for requirement in ranges(name)
        if requirement.marker is None or requirement.marker.evaluate({"platform_machine": processor})
    ]
    assert wanted
    outside = [
        f"{requirement}, locked: {versions.get(canonicalize_name(requirement.name))}"
        for requirement in wanted
        if not requirement.specifier.contains(versions.get(canonicalize_name(requirement.name), "0"))
    ]
    assert not outside, "make lock UPGRADE= brings the lock files up to date"


@pytest.mark.parametrize(("python", "processor"), MACHINES)
def test_development_lock_contains_the_runtime_versions(python: str, processor: str) -> None:
    assert pinned(RUNTIME, python, processor).items() <= pinned(DEVELOPMENT, python, processor).items()
