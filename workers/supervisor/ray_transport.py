"""The way to a device process on a node of a Ray cluster: an actor, and the call that waits for its messages."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, ObjectLostError, RayError

from workers.device.host import Ending, HostMessage, Placed, Refused
from workers.device.node import Versions
from workers.device.protocol import Command, Message
from workers.supervisor.ray_cluster import summarize

log = logging.getLogger(__name__)

COMMANDS, MESSAGES = "commands", "messages"  # concurrency groups, with one thread each: both keep their order
NODE_DIED = "its node has died"  # in Ray's text of an ActorDiedError, which has no attribute for it
KILLED = "the process was killed"
KILL_SECONDS = 1.0  # a killed process ends within milliseconds, unless the head of the cluster is away


class RayTransport:
    """An actor of ``Host``.

    Any error of a call that waits for messages counts as its death, also if Ray hopes that its node comes back: what it
    sends later belongs to an old claim. No call of this class waits for the head of the cluster.
    """

    def __init__(self, actor: Any, versions: Versions) -> None:
        self._actor = actor
        self._versions = versions
        self.awaited = self._ask()
        self._arrived: list[Message] = []
        self._place = self._node = ""
        self._end: str | None = None
        self.has_lost_node = False

    @property
    def place(self) -> str:
        return self._place

    @property
    def is_alive(self) -> bool:
        return self._end is None

    @property
    def has_arrived(self) -> bool:
        """Whether ``receive`` has something to return."""
        return bool(self._arrived)

    def send(self, command: Command) -> None:
        self._take(command)

    def receive(self) -> list[Message]:
        """Return what ``poll`` has taken: the engine calls it when there is something."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def hang_up(self) -> None:
        self._take(None)

    def kill(self) -> None:
        self._arrived = []  # what it has said is not read any more
        self._give_up(KILLED)

    def finish(self, patience: float) -> None:
        deadline = time.monotonic() + (patience if self.is_alive else min(patience, KILL_SECONDS))
        while self.is_alive and (left := deadline - time.monotonic()) > 0:
            ray.wait([self.awaited], timeout=left)
            self.poll()
        ray.wait([self.awaited], timeout=max(0.0, deadline - time.monotonic()))

    def describe_end(self) -> str:
        """Describe what Ray knows: neither a signal nor an exit status."""
        where = f"{self._node}: " if self._node else ""
        return f"{where}{self._end or KILLED}"

    def poll(self) -> None:
        """Take what has arrived, without waiting."""
        try:
            while self.is_alive and ray.wait([self.awaited], timeout=0)[0]:
                messages = ray.get(self.awaited)
                self.awaited = self._ask()  # a call for each batch: Ray keeps what it knows of an endless stream
                for message in messages:
                    self._record(message)
        except RayError as error:
            log.info("an actor has ended: %s", error)
            self.has_lost_node = is_of_node(error)
            ended = "its node is lost" if self.has_lost_node else "the process has died"
            self._give_up(f"{ended} ({type(error).__name__} of Ray: {summarize(error)})")

    def _record(self, message: HostMessage) -> None:
        match message:
            case Placed(node, pid, versions):
                self._node = node
                if versions == self._versions:
                    self._place = f"{node}, process {pid}"
                else:
                    self._give_up(f"the process has {versions}, but the supervisor has {self._versions}")
            case Refused(obstacle):
                self._place = ""
                self._give_up(obstacle)
            case Ending():
                self._give_up("the process has ended")
            case _ if self.is_alive:
                self._arrived.append(message)

    def _give_up(self, cause: str) -> None:
        """Kill the actor: it outlives the errors of its calls."""
        if self._end is None:
            self._end = cause
        threading.Thread(target=_kill, args=(self._actor,), name="kill", daemon=True).start()

    def _ask(self) -> Any:
        return self._actor.read.options(concurrency_group=MESSAGES).remote()

    def _take(self, command: Command | None) -> None:
        if self.is_alive:
            self._actor.take.options(concurrency_group=COMMANDS).remote(command)


def _kill(actor: Any) -> None:
    """Kill an actor. Without the head of the cluster, this waits for it if the actor has no place yet."""
    try:
        ray.kill(actor, no_restart=True)
    except (
        RayError,
        RuntimeError,
    ) as error:  # also when this process is no longer connected: then actors end by themselves
        log.warning("an actor cannot be killed: %s", error)


def is_of_node(error: RayError) -> bool:
    """Whether Ray ascribes the death of a process to its node.

    When only the process dies, its node says so within milliseconds. An actor that is unavailable has a node that does not:
    the node is lost or cut off. The same error follows if a process dies while the head of the cluster is away.
    """
    if isinstance(error, ActorDiedError):
        return bool(error.preempted) or NODE_DIED in str(error)
    return isinstance(error, ActorUnavailableError | NodeDiedError | ObjectLostError)
