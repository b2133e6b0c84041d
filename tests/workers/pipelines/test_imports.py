"""Large libraries are imported when a task needs them, not before a process is ready."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.service import ROOT
from workers.device.libraries import ALIGNMENT_LIBRARY, SENTENCE_LIBRARY
from workers.pipelines import MODULES

LARGE = ("torch", "transformers", "nltk", "pandas", "pyannote.audio", "demucs")
LIST = "import json, sys; import {module}; print(json.dumps(sorted(sys.modules)))"


def list_imported(module: str) -> set[str]:
    """The modules that a new process has after importing ``module``."""
    done = subprocess.run(
        [sys.executable, "-c", LIST.format(module=module)], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout))


@pytest.mark.parametrize("module", [f"workers.pipelines.{name}" for name in MODULES.values()])
def test_pipeline_imports_no_large_library(module: str) -> None:
    found = list_imported(f"workers.device.main, {module}")
    assert module in found and not found & set(LARGE)


def test_alignment_needs_neither_diarization_nor_separation() -> None:
    found = list_imported(ALIGNMENT_LIBRARY)
    assert {"torch", SENTENCE_LIBRARY} <= found
    assert not found & {"pyannote.audio", "demucs"}
