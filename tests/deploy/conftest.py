"""Read the deployment files."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import unavailable
from tests.service import ROOT

HOME = "/srv/speech"
RAY_READ = {  # variables that Ray reads
    "RAY_AUTH_MODE",
    "RAY_AUTH_TOKEN",
    "RAY_gcs_storage",
    "RAY_gcs_storage_path",
    "RAY_health_check_initial_delay_ms",
    "RAY_health_check_period_ms",
    "RAY_health_check_timeout_ms",
    "RAY_health_check_failure_threshold",
}


class Dockerfile:
    """The instructions of the Dockerfile, continued lines joined."""

    def __init__(self, text: str) -> None:
        lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
        self.instructions = [tuple(line.split(maxsplit=1)) for line in joined.splitlines()]

    def all(self, name: str) -> list[str]:
        return [text for instruction, text in self.instructions if instruction == name]

    @property
    def copied(self) -> list[tuple[str, str]]:
        """List each COPY source with its target, relative to the work folder."""
        pairs = []
        for text in self.all("COPY"):
            *sources, target = [word for word in text.split() if not word.startswith("--")]
            pairs += [(source, target) for source in sources]
        return pairs

    @property
    def environment(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for text in self.all("ENV") for pair in text.split())


@pytest.fixture(scope="session")
def dockerfile() -> Dockerfile:
    return Dockerfile((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="session")
def image(dockerfile: Dockerfile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the contents of the image's work folder."""
    folder = tmp_path_factory.mktemp("image")
    for source, target in dockerfile.copied:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, folder / target, ignore=shutil.ignore_patterns("training", "models--*"))
        else:
            shutil.copy(ROOT / source, folder / target)
    return folder


def compose(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return content


def tool(name: str, package: str) -> str:
    """Find a program of requirements-dev.txt or Debian.

    Without it, skip the test, or fail in CI.
    """
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.exists() else shutil.which(name, path="/usr/sbin:/usr/bin:/bin")
    if found is None:
        unavailable(f"{name} is not installed ({package})")
    return found


def find_ray_options() -> set[str]:
    """The options of ``ray start``."""
    scripts = pytest.importorskip("ray.scripts.scripts", reason="Ray is not installed (requirements-cluster.txt)")
    return {option for parameter in scripts.start.params for option in parameter.opts}
