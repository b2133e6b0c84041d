"""Connect to a Ray cluster, count its devices, and ask its nodes whether tasks can run there."""

from __future__ import annotations

import logging
import os
import time
from typing import Any, NamedTuple

# Ray reads these when it is imported. It would merge equal lines of several actors, and color them in files, too.
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_COLOR_PREFIX", "0")

import ray
from ray.exceptions import AuthenticationError, GetTimeoutError, RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from app.core.errors import SettingsError
from app.core.settings import Settings
from workers.device import node

log = logging.getLogger(__name__)

CPU_SLOT = "speech_slot"  # a custom resource of nodes that run models on their CPUs
PAUSE_SECONDS = 5.0
NODE_SECONDS = 60.0  # for the answers of all nodes to a check
NO_NODE_HERE = "No node info found"  # Ray's text: the cluster answers, but a process needs a node on its own machine
SET_TOKEN = "set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN_PATH or RAY_AUTH_TOKEN, as on the nodes of the cluster"


class Devices(NamedTuple):
    """The devices of all nodes, used or not."""

    gpus: int
    cpu_slots: int
    nodes: int


def connect(address: str) -> None:
    """Connect to the cluster.

    Raises ConnectionError if none answers, or if it has no node on this machine. Raises SettingsError if it wants another
    token, or, naming both versions, if it runs another Ray or Python.
    """
    try:
        # before the supervisor sets its signal handlers, because this sets one, too
        ray.init(address=address, configure_logging=False)
    except AuthenticationError as error:  # there is no token, or its file cannot be read
        raise SettingsError(f"ray.address: {error.message}; {SET_TOKEN}") from error
    except ConnectionError as error:
        cause = str(error.__cause__)  # Ray's own sentence does not have it
        if AuthenticationError.__name__ in cause:
            say = f"the cluster at {address} refuses this process: its token is missing or wrong"
            raise SettingsError(f"ray.address: {say}; {SET_TOKEN}") from error
        if NO_NODE_HERE in cause:
            say = f"no node of the Ray cluster at ray.address {address} runs on this machine"
            raise ConnectionError(f"{say}; start one with: ray start --address={address} --num-gpus=0") from error
        raise ConnectionError(f"no Ray node answers at ray.address {address}: {error}") from error
    except RuntimeError as error:
        raise SettingsError(f"ray.address: {' '.join(str(error).split())}") from error


def wait_for_cluster(address: str) -> None:
    """Connect to the cluster as soon as it answers, unless this process is connected. Raises SettingsError like ``connect``."""
    while not ray.is_initialized():
        log.info("connecting to the Ray cluster at ray.address %s", address)  # Ray itself tries for minutes
        try:
            connect(address)
            return
        except ConnectionError as error:
            log.warning("%s; trying again in %.0f s", error, PAUSE_SECONDS)
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
