"""What the supervisor needs of an engine: it starts device processes, wherever they run."""

from __future__ import annotations

from typing import Protocol

from workers.device.protocol import Command, Message, Slot


class Transport(Protocol):
    """The way to one device process. Nothing here waits, except ``finish``."""

    @property
    def place(self) -> str:
        """Where the process runs, for people; empty while it waits for a free device."""

    @property
    def is_alive(self) -> bool:
        """Whether the process runs, or may still start."""

    def send(self, command: Command) -> None:
        """Send a command; a process that has died does not get it."""

    def receive(self) -> list[Message]:
        """Return the messages that have arrived."""

    def hang_up(self) -> None:
        """Send nothing more, which makes an idle process exit."""

    def kill(self) -> None:
        """Kill the process, also in the middle of a native call."""

    def finish(self, patience: float) -> None:
        """Wait for at most ``patience`` seconds until the process has ended, after ``hang_up`` or ``kill``."""

    def describe_end(self) -> str:
        """Describe why the process has ended."""

    @property
    def has_lost_node(self) -> bool:
        """Whether the process has ended because its machine was lost."""


class Engine(Protocol):
    """Starts the processes of all slots."""

    @property
    def is_elastic(self) -> bool:
        """Whether a device appears when a process waits for it, and is given back when no process uses it."""

    def list_slots(self) -> list[Slot]:
        """List one Slot per device process. If ``is_elastic``, these are all that may be used at a time."""

    def start(self, slot: Slot, preload: bool) -> Transport:
        """Start a process that serves ``slot``. ``preload``: it loads the default models first."""

    def wait(self, seconds: float) -> None:
        """Wait ``seconds`` at most for a message or the end of a process."""
