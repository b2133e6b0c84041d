"""The command is installed without the service: its package needs neither the rest of app, nor flask, nor torch."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from app.openapi import VERSION
from tests.service import ROOT
from tests.test_architecture import BLOCKER, MODELS, WEB

CLI = ROOT / "app" / "cli"
PROJECT = (ROOT / "pyproject.toml").read_text()
BLOCKED = [*MODELS, *WEB, "app", "peewee", "yaml", "dotenv"]


def dependencies() -> dict[str, Requirement]:
    found = re.search(r"^dependencies = (\[.*\])$", PROJECT, re.MULTILINE)
    assert found
    return {each.name: each for each in map(Requirement, ast.literal_eval(found[1]))}


def imported() -> set[str]:
    """Top-level modules that the package imports, except relatively."""
    names: set[str] = set()
    for file in CLI.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(str(node.module).partition(".")[0])
    return names


def test_package_is_imported_without_the_service(tmp_path: Path) -> None:
    shutil.copytree(CLI, tmp_path / "speech_cli")
    modules = [f"speech_cli.{file.stem}" for file in CLI.glob("*.py") if file.stem != "__main__"]
    code = BLOCKER.format(blocked=BLOCKED, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_installed_command_is_the_package_alone() -> None:
    assert 'speech = "speech_cli.main:main"' in PROJECT
    assert 'packages = ["speech_cli"]' in PROJECT and 'package-dir = { speech_cli = "app/cli" }' in PROJECT
    assert [path for path in CLI.iterdir() if path.is_dir() and path.name != "__pycache__"] == []
    assert f'version = "{VERSION}"' in PROJECT


def test_dependencies_are_what_is_imported_in_the_ranges_of_the_service() -> None:
    assert imported() - set(sys.stdlib_module_names) == set(dependencies())
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    ours = {each.name: each for each in (Requirement(line) for line in lines if line and not line.startswith("#"))}
    assert all(ours[name].specifier == each.specifier for name, each in dependencies().items())


def test_package_that_imports_flask_is_found(tmp_path: Path) -> None:
    code = BLOCKER.format(blocked=BLOCKED, modules=["flask"])
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode != 0 and "flask is blocked" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["transcribe"]])
def test_module_runs_in_a_checkout(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "app.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and done.stderr
