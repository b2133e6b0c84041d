"""Start device processes on this machine.

This is the supervisor's side; workers/device/main.py is the other.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.connection import wait

from app.core.settings import Settings
from workers.device import execution, main
from workers.device.protocol import Command, Message, Slot
from workers.supervisor.inbox import Inbox


class LocalEngine:
    """One process for each of ``slots``. ``serve`` is the main function of these processes."""

    is_elastic = False

    def __init__(self, settings: Settings, slots: list[Slot], serve: Callable[..., None] = main.serve) -> None:
        self._settings = settings
        self._slots = slots
        self._serve = serve
        self._started: list[LocalTransport] = []

    def list_slots(self) -> list[Slot]:
        return list(self._slots)

    def start(self, slot: Slot, preload: bool) -> LocalTransport:
        transport = LocalTransport(slot, self._settings, preload, self._serve)
        self._started.append(transport)
        return transport

    def wait(self, seconds: float) -> None:
        self._started = [each for each in self._started if not each.connection.closed]
        wait([waited for each in self._started for waited in (each.connection, each.process.sentinel)], seconds)


class LocalTransport:
    """A process and its Pipe."""

    has_lost_node = False  # it is this machine

    def __init__(self, slot: Slot, settings: Settings, preload: bool, serve: Callable[..., None]) -> None:
        context = multiprocessing.get_context("spawn")  # CUDA does not survive a fork
        self.connection, theirs = context.Pipe()
        self._inbox = Inbox(self.connection)
        arguments = (theirs, slot, settings, os.getpid(), preload)
        self.process = context.Process(target=serve, args=arguments, name=slot.name, daemon=True)
        self.process.start()
        theirs.close()  # so that the Pipe ends when the process does

    @property
    def place(self) -> str:
        return f"process {self.process.pid}"

    @property
    def is_alive(self) -> bool:
        return self.process.is_alive()

    def send(self, command: Command) -> None:
        with contextlib.suppress(OSError):  # it has died, which the supervisor sees next
            self.connection.send(command)

    def receive(self) -> list[Message]:
        arrived: list[Message] = self._inbox.read()
        return arrived

    def hang_up(self) -> None:
        self.connection.close()

    def kill(self) -> None:
        self.process.kill()  # no other signal ends a native call
        self.connection.close()

    def finish(self, patience: float) -> None:
        self.process.join(patience)

    def describe_end(self) -> str:
        """Describe its exit status."""
        code = self.process.exitcode
        if code == execution.DEVICE_LOST:
            return "unrecoverable device error"
        if code is None or code >= 0:
            return f"exit status {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"{name}, possibly out of memory" if -code == signal.SIGKILL else name
