"""Connect to a Ray cluster, and count its devices."""

from __future__ import annotations

import logging
import time
from typing import NamedTuple

import ray
from ray.exceptions import AuthenticationError

from app.core.errors import SettingsError

log = logging.getLogger(__name__)

CPU_SLOT = "speech_slot"  # a custom resource of nodes that run models on their CPUs
PAUSE_SECONDS = 5.0
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
    """Connect to the cluster as soon as it answers. Raises SettingsError like ``connect``."""
    while True:
        try:
            connect(address)
            return
        except ConnectionError as error:
            log.warning("%s; trying again in %.0f s", error, PAUSE_SECONDS)
            time.sleep(PAUSE_SECONDS)


def count_devices() -> Devices:
    """Count the devices of a connected cluster. Without its head, it may not answer for a minute."""
    found = ray.cluster_resources()
    nodes = sum(bool(node["Alive"]) for node in ray.nodes())
    return Devices(int(found.get("GPU", 0)), int(found.get(CPU_SLOT, 0)), nodes)
