"""The measurements for GPUs run on a machine that lacks our packages; shown on a CPU, with small sizes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.gpu.__main__ import PARTS
from bench.gpu.absent import OURS
from bench.gpu.sentences import make_windows, split_sentences
from tests.service import ROOT

WITHOUT = """
import runpy, sys
from importlib.machinery import PathFinder
find = PathFinder.find_spec
absent = {absent!r}
PathFinder.find_spec = lambda name, *rest: None if name.partition(".")[0] in absent else find(name, *rest)
sys.argv = ["bench.gpu", "--device", "cpu", "--quick"]
runpy.run_module("bench.gpu", run_name="__main__", alter_sys=True)
"""


@pytest.mark.slow  # runs a network in a new process
def test_gpu_benchmark_needs_none_of_our_packages() -> None:
    command = [sys.executable, "-c", WITHOUT.format(absent=OURS)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"not installed: {', '.join(OURS)}" in done.stdout
    assert [part for part in PARTS if f"{part}:" not in done.stdout] == []
    assert "CTranslate2 is not installed here" in done.stdout and "whisperx is not installed here" in done.stdout


def test_sentences_of_the_gpu_benchmark_are_found() -> None:
    text = "One comes first. Is two next? It costs 3.50 in all"
    found = [text[start:end] for start, end in split_sentences(text, "en")]
    assert found == ["One comes first.", "Is two next?", "It costs 3.50 in all"]


def test_windows_of_the_gpu_benchmark_fill_the_time_in_order() -> None:
    windows = make_windows(900.0)
    assert 890.0 < windows[-1]["end"] <= 900.0
    assert all(window["end"] - window["start"] <= 28.0 and window["text"] for window in windows)
    starts = [window["start"] for window in windows]
    assert starts == sorted(starts)
