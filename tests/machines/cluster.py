"""A Ray cluster of the service on three "machines": the head, and two nodes with a web side and a supervisor each.

The database and the object store run on the host.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import psycopg2

from app.core.db.heartbeats import FRESH_SECONDS
from tests.machines.network import Machine, Network
from tests.object_store import ObjectStoreServer
from tests.service import ROOT, Service, until, write_config

RAY_PORT = 6379
WEB_PORT = 8000
# As docs/cluster.md recommends, but a head that is away for long is seen after half a minute.
SYSTEM = {
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 3,
    "gcs_rpc_server_reconnect_timeout_s": 30,
}
RAY_START = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--disable-usage-stats"]
OWN_RESOURCES = ["--num-cpus=1", "--num-gpus=0", "--object-store-memory=100000000"]
SLOT = '--resources={"speech_slot": 1}'


class Node(Machine):
    """A machine with a CPU slot, a web side and a supervisor; ``web`` is the service as its clients see it."""

    def __init__(self, network: Network, name: str, number: int, disk: Path, local: Path) -> None:
        super().__init__(network, name, number, disk, local)
        self.web = Service(disk)
        self.web.url = f"http://{self.address}:{WEB_PORT}"


class Cluster:
    """``one`` and ``two`` are the nodes, ``head`` is the third machine. A supervisor on ``one`` leads first."""

    def __init__(self, network: Network, folder: Path, db_url: str, store: ObjectStoreServer) -> None:
        local = folder / "local"
        self.head = Machine(network, "head", 10, folder / "head", local)
        self.one, self.two = (
            Node(network, "one", 11, folder / "one", local),
            Node(network, "two", 12, folder / "two", local),
        )
        self.machines = (self.head, self.one, self.two)
        self.nodes = (self.one, self.two)
        self.store = store
        self.url_of_files = store.new_url()
        self._db_url = db_url
        self._gcs = local / "gcs"
        # each node has one core: what both do at a time must not depend on how many this machine has
        workers = {"engine": "ray", "device": "cpu", "cpu_threads": 1, "retry_pause": 0.2, "tasks_per_device": 1}
        config = write_config(
            folder, workers=workers, ray={"address": "auto"}, server={"host": "0.0.0.0", "processes": 1}
        )
        self._environment = {
            "CONFIG": str(config),
            "PORT": str(WEB_PORT),
            "CACHE_DIR": str(local / "cache"),
            "DB_URL": db_url,
            "PYTHONPATH": str(ROOT),
            **store.environment(self.url_of_files),
        }

    def start(self) -> None:
        for machine in self.machines:
            machine.boot()
        self.start_head()
        for node in self.nodes:
            self.start_node(node)
            self.start_web(node)
            until(node.web.alive, f"the web side of {node.name} answers")
        self.start_supervisor(self.one)
        until(lambda: self.leader() is self.one, "the supervisor on one leads")
        self.start_supervisor(self.two)

    def stop(self) -> None:
        with contextlib.ExitStack() as stack:  # all of them, also if one fails
            for machine in self.machines:
                stack.callback(machine.kill)

    def start_head(self) -> None:
        state = {"RAY_gcs_storage": "rocksdb", "RAY_gcs_storage_path": str(self._gcs)}
        where = ["--head", f"--port={RAY_PORT}", f"--node-ip-address={self.head.address}", "--include-dashboard=false"]
        command = [*RAY_START, *OWN_RESOURCES, *where, f"--system-config={json.dumps(SYSTEM)}"]
        self.head.keep_running(*command, environment=self._environment | state, log="ray.log")

    def start_node(self, node: Node) -> None:
        where = [f"--address={self.head.address}:{RAY_PORT}", f"--node-ip-address={node.address}", SLOT]
        node.keep_running(*RAY_START, *OWN_RESOURCES, *where, environment=self._environment, log="ray.log")

    def start_web(self, node: Node) -> None:
        command = [sys.executable, "-m", "gunicorn", "-c", "gunicorn.conf.py", "wsgi:app"]
        node.keep_running(*command, environment=self._environment, log="web.log")

    def start_supervisor(self, node: Node) -> None:
        node.keep_running(sys.executable, "-m", "workers", environment=self._environment, log="worker.log")

    def boot_again(self, node: Node) -> None:
        """Start a node that was killed, with all its programs."""
        node.boot()
        self.start_node(node)
        self.start_web(node)
        self.start_supervisor(node)

    def devices(self) -> dict[str, list[dict[str, Any]]]:
        """The devices of each supervisor with a heartbeat, by the name of its machine."""
        rows = self._select(
            "SELECT name, devices FROM worker WHERE heartbeat_at > extract(epoch FROM now()) - %s", FRESH_SECONDS
        )
        return {name.split("/")[0]: json.loads(devices) for name, devices in rows}

    def lost(self, identifiers: list[str]) -> list[str]:
        """Those of the tasks that have lost a run: they wait again, or were claimed again."""
        again = "SELECT uuid FROM task WHERE uuid = ANY(%s) AND (status = 'QUEUED' AND claim_no > 0 OR claim_no > 1)"
        return [uuid for (uuid,) in self._select(again, identifiers)]

    def _select(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        with psycopg2.connect(self._db_url) as connection, connection.cursor() as cursor:
            cursor.execute(query, values)
            return list(cursor.fetchall())

    def leader(self) -> Node | None:
        """The machine whose supervisor leads, if exactly one does."""
        leading = [node for node in self.nodes if node.name in self.devices()]
        return leading[0] if len(leading) == 1 else None

    def leading(self) -> tuple[Node, Node]:
        """Wait until one supervisor leads; return its machine and the other one."""
        leader: Node = until(self.leader, "one supervisor leads")
        return leader, self.two if leader is self.one else self.one

    def places(self) -> dict[str, int]:
        """The machines with an idle device process, and how many each has."""
        idle = [
            each["place"].split(",")[0]
            for devices in self.devices().values()
            for each in devices
            if each["state"] == "idle"
        ]
        return {name: idle.count(name) for name in idle}

    def until_idle(self) -> None:
        """Wait until both nodes answer and have an idle device process, and one supervisor leads."""
        until(lambda: all(node.web.ready() for node in self.nodes), "both web sides are ready")
        until(lambda: self.leader() and self.places() == {"one": 1, "two": 1}, "both slots are idle", every=0.2)

    def actor(self, node: Node) -> Any:
        """The device process on a node."""
        (actor,) = node.find("ray::Host")
        return actor
