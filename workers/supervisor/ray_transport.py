"""The way to a device process on a node of a Ray cluster: an actor, and the stream of its messages."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray.exceptions import ActorDiedError, ActorUnavailableError, NodeDiedError, ObjectLostError, RayError

from workers.device.host import Placed
from workers.device.node import Versions
from workers.device.protocol import Command, Message

COMMANDS, STREAM = "commands", "stream"  # concurrency groups; commands have one thread, so they keep their order
NODE_DIED = "its node has died"  # in Ray's text of an ActorDiedError, which has no attribute for it


class RayTransport:
    """An actor of ``Host``.

    Any error of its stream counts as its death, also if Ray hopes that its node comes back: what it sends later belongs to
    an old claim.
    """

    def __init__(self, actor: Any, versions: Versions) -> None:
        self._actor = actor
        self._versions = versions
        self._stream = actor.serve.options(num_returns="streaming", concurrency_group=STREAM).remote()
        self._reference: Any = None  # to a message that is still being transferred
        self._arrived: list[Message] = []
        self._place = self._node = ""
        self._end: str | None = None
        self._is_killed = False
        self.has_lost_node = False

    @property
    def place(self) -> str:
        return self._place

    @property
    def is_alive(self) -> bool:
        return self._end is None

    @property
    def awaited(self) -> Any:
        """What ``ray.wait`` takes to wait for the next message, or for the end."""
        return self._stream if self._reference is None else self._reference

    @property
    def has_arrived(self) -> bool:
        """Whether ``receive`` has something to return."""
        return bool(self._arrived)

    def send(self, command: Command) -> None:
        self._take(command)

    def receive(self) -> list[Message]:
        self.poll()
        arrived, self._arrived = self._arrived, []
        return arrived

    def hang_up(self) -> None:
        self._take(None)

    def kill(self) -> None:
        self._is_killed, self._arrived = True, []  # what it has said is not read any more
        ray.kill(self._actor, no_restart=True)

    def finish(self, patience: float) -> None:
        deadline = time.monotonic() + patience
        self.poll()
        while self.is_alive and (left := deadline - time.monotonic()) > 0:
            ray.wait([self.awaited], timeout=left)
            self.poll()

    def describe_end(self) -> str:
        """Describe what Ray knows: neither a signal nor an exit status."""
        where = f"{self._node}: " if self._node else ""
        return f"{where}{self._end or 'the process was killed'}"

    def poll(self) -> None:
        """Take what has arrived, without waiting."""
        try:
            while self.is_alive and ray.wait([self.awaited], timeout=0)[0]:
                if self._reference is None:
                    self._reference = next(self._stream)
                    continue  # the message itself may be large, and not here yet
                message = ray.get(self._reference)
                self._reference = None
                self._record(message)
        except StopIteration:
            self._give_up("the process has ended")
        except RayError as error:
            self.has_lost_node = is_of_node(error)
            ended = "its node is lost" if self.has_lost_node else "the process has died"
            self._give_up(f"{ended} ({type(error).__name__} of Ray)")

    def _record(self, message: Placed | Message) -> None:
        if not isinstance(message, Placed):
            if not self._is_killed:
                self._arrived.append(message)
            return
        self._node = message.node
        if message.versions != self._versions:
            self._give_up(f"the process has {message.versions}, but the supervisor has {self._versions}")
        elif message.obstacle:
            self._give_up(message.obstacle)
        else:
            self._place = f"{message.node}, process {message.pid}"

    def _give_up(self, cause: str) -> None:
        self._end = cause
        ray.kill(self._actor, no_restart=True)  # an actor outlives its stream

    def _take(self, command: Command | None) -> None:
        if self.is_alive:
            self._actor.take.options(concurrency_group=COMMANDS).remote(command)


def is_of_node(error: RayError) -> bool:
    """Whether Ray ascribes the death of a process to its node.

    When only the process dies, its node says so within milliseconds. An actor that is unavailable has a node that does not:
    the node is lost or cut off. The same error follows if a process dies while the head of the cluster is away.
    """
    if isinstance(error, ActorDiedError):
        return bool(error.preempted) or NODE_DIED in str(error)
    return isinstance(error, ActorUnavailableError | NodeDiedError | ObjectLostError)
