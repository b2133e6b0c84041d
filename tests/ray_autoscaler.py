"""Start a Ray cluster whose autoscaler starts and removes nodes on this machine."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.ray_nodes import start_node
from tests.service import free_port

HEAD, HEAD_ID = "ray.head.default", "f" * 51 + "00000"  # what the provider calls the head
NO_COMMANDS = ("setup_commands", "head_setup_commands", "worker_setup_commands", "cluster_synced_files")


@contextlib.contextmanager
def ray_autoscaler(folder: Path, most: int) -> Iterator[str]:
    """Start a head without devices, and an autoscaler of up to ``most`` nodes with a CPU slot. The value is its address."""
    port = free_port()
    configured = folder / "autoscaler.json"
    configured.write_text(json.dumps(_configure(f"127.0.0.1:{port}", most)))
    environment = {
        "RAY_FAKE_CLUSTER": "1",
        "AUTOSCALER_UPDATE_INTERVAL_S": "1",
        "RAY_enable_autoscaler_v2": "1",
        "RAY_CLOUD_INSTANCE_ID": HEAD_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": HEAD_ID,
    }
    options = ("--head", f"--port={port}", "--include-dashboard=false", f"--autoscaling-config={configured}")
    with start_node(folder / "ray.log", *options, **environment):
        yield f"127.0.0.1:{port}"


def _configure(address: str, most: int) -> dict[str, Any]:
    return {
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
        "available_node_types": {
            HEAD: {"resources": {"CPU": 1}, "node_config": {}, "max_workers": 0},
            "slot": {"resources": {"CPU": 1, "speech_slot": 1}, "node_config": {}, "max_workers": most},
        },
        "head_node_type": HEAD,
        "file_mounts": {},
    } | {name: [] for name in NO_COMMANDS}
