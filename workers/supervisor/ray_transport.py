"""The way to a device process on a node of a Ray cluster: an actor, and the stream of its messages."""

from __future__ import annotations

import time
from typing import Any

import ray
from ray.exceptions import RayError

from workers.device.host import Placed, Versions
from workers.device.protocol import Command, Message

COMMANDS, STREAM = "commands", "stream"  # concurrency groups; commands have one thread, so they keep their order


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
        """Return what ``poll`` has taken: the engine calls it when there is something."""
        arrived, self._arrived = self._arrived, []
        return arrived

    def hang_up(self) -> None:
        self._take(None)

    def kill(self) -> None:
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
            self._give_up(f"the process has died ({type(error).__name__} of Ray)")

    def _record(self, message: Placed | Message) -> None:
        if not isinstance(message, Placed):
            self._arrived.append(message)
            return
        self._node = message.node
        if message.versions != self._versions:
            self._give_up(f"the process has {message.versions}, but the supervisor has {self._versions}")
        elif not message.sees_files:
            self._give_up("the process does not see the supervisor's files: cache.path must be a shared folder")
        else:
            self._place = f"{message.node}, process {message.pid}"

    def _give_up(self, cause: str) -> None:
        self._end = cause
        self.kill()  # an actor outlives its stream

    def _take(self, command: Command | None) -> None:
        if self.is_alive:
            self._actor.take.options(concurrency_group=COMMANDS).remote(command)
