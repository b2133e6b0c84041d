"""Start nodes of a Ray cluster on this machine, with CPU slots in the place of GPUs."""

from __future__ import annotations

import contextlib
import json
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
HEAD_ID = "f" * 51 + "00000"  # what the provider of fake nodes calls the head


@contextlib.contextmanager
def ray_head(log: Path, resources: str = '{"speech_slot": 1}') -> Iterator[str]:
    """Start the head of a cluster; the value is its address."""
    port = free_port()
    with _start(log, "--head", f"--port={port}", "--include-dashboard=false", f"--resources={resources}"):
        yield f"127.0.0.1:{port}"


@contextlib.contextmanager
def ray_node(address: str, log: Path, resources: str = '{"speech_slot": 1}') -> Iterator[psutil.Process]:
    """Let another node join the cluster; the value is the process of which its others are children."""
    with _start(log, f"--address={address}", f"--resources={resources}") as node:
        yield node


@contextlib.contextmanager
def ray_autoscaler(folder: Path, most: int) -> Iterator[str]:
    """Start a head without devices; its autoscaler starts up to ``most`` nodes on this machine. The value is its address."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    head, node = "ray.head.default", {"resources": {"CPU": 1, "speech_slot": 1}, "node_config": {}, "max_workers": most}
    config = {
        "cluster_name": "test",
        "max_workers": most,
        "idle_timeout_minutes": 0.1,
        "provider": {
            "type": "external",  # its own name, fake_multinode, needs a file that the package lacks
            "module": "ray.autoscaler._private.fake_multi_node.node_provider.FakeMultiNodeProvider",
            "gcs_address": address,
            "head_node_id": HEAD_ID,
            "launch_multiple": True,
            "disable_node_updaters": True,
        },
        "available_node_types": {head: {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0}, "slot": node},
        "head_node_type": head,
    }
    (folder / "autoscaler.json").write_text(json.dumps(config))
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    }
    options = (
        "--head",
        f"--port={port}",
        "--include-dashboard=false",
        f"--autoscaling-config={folder / 'autoscaler.json'}",
    )
    with _start(folder / "ray.log", *options, **environment):
        yield address


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
def _start(log: Path, *options: str, **variables: str) -> Iterator[psutil.Process]:
    """Start a node, whose processes can import this checkout and what this process can."""
    folder = tempfile.mkdtemp(prefix="ray-")  # not pytest's: the paths of sockets in it must be short
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-gpus=0", "--num-cpus=1"]
    command += [
        *options,
        f"--temp-dir={folder}",
        f"--object-store-memory={OBJECT_STORE_BYTES}",
        "--disable-usage-stats",
    ]
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
