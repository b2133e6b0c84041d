"""Start a node of a Ray cluster on this machine, with a CPU slot in the place of a GPU."""

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
def ray_head(log: Path) -> Iterator[str]:
    """Start the head of a cluster, which is its only node; the value is its address.

    The processes of the node can import this checkout and what this process can.
    """
    port = free_port()
    folder = tempfile.mkdtemp(prefix="ray-")  # not pytest's: the paths of sockets in it must be short
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", f"--port={port}"]
    command += ["--num-gpus=0", "--num-cpus=1", '--resources={"speech_slot": 1}', "--include-dashboard=false"]
    command += [f"--temp-dir={folder}", f"--object-store-memory={OBJECT_STORE_BYTES}", "--disable-usage-stats"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}
    with log.open("wb") as output:
        head = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in [*psutil.Process(head.pid).children(recursive=True), psutil.Process(head.pid)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        head.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
