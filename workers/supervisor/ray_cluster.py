"""Connect to a Ray cluster, and count its devices."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, NamedTuple

# Ray reads these when it is imported. It would merge equal lines of several actors, and color them in files, too.
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_COLOR_PREFIX", "0")

import ray
from ray.exceptions import GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from app.core.errors import SettingsError
from app.core.settings import Settings
from workers.device import node

log = logging.getLogger(__name__)

CPU_SLOT = "speech_slot"  # a custom resource of nodes that run models on their CPUs
PAUSE_SECONDS = 5.0
NODE_SECONDS = 60.0  # for the answers of all nodes to a check


class Devices(NamedTuple):
    """The devices of all nodes, used or not."""

    gpus: int
    cpu_slots: int
    nodes: int


def connect(address: str) -> None:
    """Connect to the cluster.

    Raises ConnectionError if none answers, and SettingsError, naming both versions, if it runs another Ray or Python.
    """
    try:
        # before the supervisor sets its signal handlers, because this sets one, too
        ray.init(address=address, configure_logging=False)
    except RuntimeError as error:
        raise SettingsError(f"ray.address: {' '.join(str(error).split())}") from error


def wait_for_cluster(address: str) -> None:
    """Connect to the cluster as soon as it answers, unless this process is connected. Raises SettingsError like ``connect``."""
    while not ray.is_initialized():
        try:
            connect(address)
            return
        except ConnectionError as error:
            say = "no Ray node answers at ray.address %s, trying again in %.0f s: %s"
            log.warning(say, address, PAUSE_SECONDS, error)
            time.sleep(PAUSE_SECONDS)


def check_nodes(settings: Settings) -> list[tuple[str, str]]:
    """Ask all nodes that have devices why tasks would fail there; empty if they can run.

    Returns a pair of name and answer for each.
    """
    check = ray.remote(num_cpus=0, max_retries=0)(node.check_node)
    asked = {}
    with node.borrowed_mark(settings.cache.path) as mark:
        for each in ray.nodes():
            if each["Alive"] and {"GPU", CPU_SLOT} & each["Resources"].keys():
                there = NodeAffinitySchedulingStrategy(each["NodeID"], soft=False)
                answer = check.options(scheduling_strategy=there).remote(settings, mark)
                asked[answer] = f"{each['NodeManagerHostname']} ({each['NodeManagerAddress']})"
        if asked:
            ray.wait(list(asked), num_returns=len(asked), timeout=NODE_SECONDS)
        return [(name, _read_answer(answer)) for answer, name in asked.items()]


def _read_answer(answer: Any) -> str:
    try:
        return str(ray.get(answer, timeout=0))
    except GetTimeoutError:
        return f"it does not answer within {NODE_SECONDS:.0f} s"
    except RayError as error:
        return summarize(error)


def summarize(error: RayError) -> str:
    """Return the last line of an error of Ray that is not part of a traceback."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def count_devices() -> Devices:
    """Count the devices of a connected cluster. Without its head, it may not answer for a minute."""
    found = ray.cluster_resources()
    nodes = sum(bool(each["Alive"]) for each in ray.nodes())
    return Devices(int(found.get("GPU", 0)), int(found.get(CPU_SLOT, 0)), nodes)
