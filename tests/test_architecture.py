"""Check the imports between app, app.core and workers.

workers import only app.core, which needs neither flask nor torch; app never imports a model library.
"""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.service import MINI, ROOT

MODELS = ["torch", "whisperx", "demucs", "faster_whisper", "ctranslate2", "av", "numpy", "pyannote", "workers", "tests"]
WEB = ["flask", "flask_smorest", "werkzeug", "marshmallow", "webargs", "gunicorn"]

# Folder → what its files must not import, function-level imports included; longest prefix first.
FORBIDDEN = {
    "app/core": ["app.", "workers", *WEB, *MODELS],
    "app": ["workers", "tests", *MODELS],
    "workers": ["app.", "tests", *WEB],
}
ALLOWED = {"app/core": ["app.core"], "workers": ["app.core"]}


def list_imports(source: str) -> Iterator[str]:
    """List the modules that ``source`` imports, dotted; ``from a import b`` counts as a.b."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def find_forbidden(folder: str, source: str) -> list[str]:
    def begins(name: str, prefix: str) -> bool:
        return f"{name}.".startswith(prefix if prefix.endswith(".") else f"{prefix}.")

    return [
        name
        for name in list_imports(source)
        if any(begins(name, prefix) for prefix in FORBIDDEN[folder])
        and not any(begins(name, prefix) for prefix in ALLOWED.get(folder, []))
    ]


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_no_module_has_a_forbidden_import(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    found = {str(file.relative_to(ROOT)): find_forbidden(folder, file.read_text()) for file in files}
    assert {name: imports for name, imports in found.items() if imports} == {}


@pytest.mark.parametrize(
    ("folder", "line"),
    [
        ("workers", "from app.api import tasks"),
        ("workers", "from app import openapi"),
        ("workers", "import flask"),
        ("app/core", "from app.schemas import vad"),
        ("app/core", "from torch import nn"),
        ("app/core", "import flask.json"),
        ("app", "def f():\n    import whisperx.alignment"),
        ("app", "from workers.device import main"),
    ],
)
def test_forbidden_imports_are_found(folder: str, line: str) -> None:
    assert find_forbidden(folder, line)
    assert not find_forbidden(folder, "from app.core.db import tasks\nimport json")


BLOCKER = """
import importlib, json, sys
BLOCKED = set({blocked!r})
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in BLOCKED:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocker())
for module in {modules!r}:
    importlib.import_module(module)
with open("/proc/self/status") as status:
    memory = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
print(json.dumps([sorted({{name.split(".")[0] for name in sys.modules}}), memory // 1024]))
"""


def import_blocked(tmp_path: Path, blocked: list[str], *modules: str) -> tuple[set[str], int]:
    """Import ``modules`` with ``blocked`` unavailable; return the top-level modules and the memory in MiB."""
    environment = {
        **os.environ,
        "CONFIG": str(MINI / "config.yaml"),
        "CACHE_DIR": str(tmp_path / "cache"),
        "DB_URL": f"sqlite:///{tmp_path / 'records.db'}",
    }
    code = BLOCKER.format(blocked=blocked, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    names, memory = json.loads(done.stdout)
    return set(names), memory


@pytest.mark.parametrize("module", ["app.factory", "wsgi", "gunicorn.app.wsgiapp"])
def test_web_side_needs_no_model_library_and_no_worker(tmp_path: Path, module: str) -> None:
    names, _ = import_blocked(tmp_path, MODELS, module)
    assert not names & set(MODELS)


def test_web_application_uses_little_memory(tmp_path: Path) -> None:
    names, memory = import_blocked(tmp_path, MODELS, "wsgi")
    assert "app" in names
    assert memory < 100


def test_core_needs_neither_flask_nor_models(tmp_path: Path) -> None:
    files = (ROOT / "app/core").rglob("*.py")
    modules = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files if "migrations" not in file.parts
    ]
    import_blocked(tmp_path, [*MODELS, *WEB], *modules)


@pytest.mark.parametrize(
    "module",
    [
        "workers.supervisor.loop",
        "workers.__main__",
        "workers.supervisor.process",
        "workers.supervisor.engine_choice",
        "workers.supervisor.purge",
        "workers.downloads.downloader",
    ],
)
def test_supervisor_loads_neither_flask_nor_models(tmp_path: Path, module: str) -> None:
    names, memory = import_blocked(tmp_path, [*WEB, "tests"], module)
    assert not names & {*WEB, "torch", "whisperx", "faster_whisper", "ctranslate2"}
    assert memory < 100


CLUSTER = ["boto3", "botocore", "s3transfer", "ray"]


@pytest.mark.parametrize("module", ["wsgi", "workers.__main__", "workers.device.execution", "workers.models.check"])
def test_nothing_needs_the_packages_for_several_machines(tmp_path: Path, module: str) -> None:
    names, _ = import_blocked(tmp_path, CLUSTER, module)
    assert not names & set(CLUSTER)


def test_core_needs_no_packages_for_several_machines(tmp_path: Path) -> None:
    files = (ROOT / "app/core").rglob("*.py")
    names = [".".join(file.relative_to(ROOT).with_suffix("").parts) for file in files if "migrations" not in file.parts]
    import_blocked(tmp_path, CLUSTER, *names)


def test_boto3_is_imported_in_few_modules() -> None:
    files = [file for side in ("app", "workers") for file in (ROOT / side).rglob("*.py")]
    boto3 = {"boto3", "botocore", "s3transfer"}
    found = {file.name for file in files if boto3 & {name.split(".")[0] for name in list_imports(file.read_text())}}
    assert found == {"s3_client.py", "object_store.py", "object_reader.py", "store_errors.py"}


def test_only_the_ray_engine_imports_ray(tmp_path: Path) -> None:
    files = [file for folder in ("app", "workers") for file in (ROOT / folder).rglob("*.py")]
    found = {file.name for file in files if {"ray"} & {name.split(".")[0] for name in list_imports(file.read_text())}}
    assert found == {"ray_cluster.py", "ray_engine.py", "ray_transport.py"}
    import_blocked(tmp_path, ["ray"], "wsgi", "workers.__main__", "workers.device.host", "workers.models.check")


@pytest.mark.slow  # imports every speech library
def test_pipelines_need_no_flask(tmp_path: Path) -> None:
    import_blocked(tmp_path, [*WEB, "tests"], "workers.pipelines.transcription")


def test_test_names_are_unique() -> None:
    files: dict[str, set[str]] = {}
    for file in (ROOT / "tests").rglob("test_*.py"):
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.MULTILINE):
            files.setdefault(name, set()).add(str(file.relative_to(ROOT)))
    assert {name: places for name, places in files.items() if len(places) > 1} == {}


def test_blocked_import_raises(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="flask is blocked"):
        import_blocked(tmp_path, ["flask"], "app.factory")
