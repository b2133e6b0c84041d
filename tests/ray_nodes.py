"""Start nodes of a Ray cluster on this machine, with CPU slots in the place of GPUs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.service import ROOT, free_port

OBJECT_STORE_BYTES = 100_000_000


@contextlib.contextmanager
def ray_head(log: Path, resources: str = '{"speech_slot": 1}') -> Iterator[str]:
    """Start the head of a cluster; the value is its address."""
    port = free_port()
    with start_node(log, "--head", f"--port={port}", "--include-dashboard=false", f"--resources={resources}"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def ray_node(address: str, log: Path, resources: str = '{"speech_slot": 1}') -> Iterator[psutil.Process]:
    """Let another node join the cluster; the value is the process of which its others are children."""
    with start_node(log, f"--address={address}", f"--resources={resources}") as node:
        yield node


def kill_node(node: psutil.Process) -> None:
    """Kill all processes of a node at once, as a power failure does."""
    running = [node, *node.children(recursive=True)]
    for process in running:  # otherwise one of them could report the end of another
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    for process in running:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@contextlib.contextmanager
def start_node(log: Path, *options: str, **variables: str) -> Iterator[psutil.Process]:
    """Start a node, whose processes can import this checkout and what this process can."""
    folder = tempfile.mkdtemp(prefix="ray-")  # not pytest's: the paths of sockets in it must be short
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-gpus=0", "--num-cpus=1"]
    command += [*options, f"--temp-dir={folder}", "--disable-usage-stats"]
    command += [f"--object-store-memory={OBJECT_STORE_BYTES}"]
    environment = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    with log.open("wb") as output:
        node = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield psutil.Process(node.pid)
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            kill_node(psutil.Process(node.pid))
        node.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
