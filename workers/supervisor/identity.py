"""Unique process names that other processes can check.

The name contains the pid, its start time since boot (proc(5), /proc/PID/stat, field 22) and the boot id, because the
kernel reuses pids. It also contains the pid namespace: a pid in another container cannot be looked up.
"""

from __future__ import annotations

import os
import platform
import uuid
from pathlib import Path

PROC = Path("/proc")
UNKNOWN = "-"
NAME_LENGTH = 40


def make_name(role: str = "supervisor") -> str:
    """Make a unique name for this process, up to 128 characters."""
    parts = [
        platform.node()[:NAME_LENGTH].replace("/", "_") or UNKNOWN,
        _read_boot_id(),
        _read_namespace(),
        str(os.getpid()),
    ]
    return "/".join([*parts, _read_start_time(os.getpid()) or UNKNOWN, role, uuid.uuid4().hex[:8]])


def is_provably_dead(holder: str) -> bool:
    """Whether the process named ``holder`` has certainly ended.

    False if it cannot be known, as for another machine or container.
    """
    try:
        _node, boot, namespace, pid, start, *_ = holder.split("/")
        number = int(pid)
    except ValueError:
        return False
    if UNKNOWN in (boot, start) or UNKNOWN in (_read_boot_id(), _read_namespace()):
        return False
    # another boot id may belong to another machine, so only the lease can tell
    if boot != _read_boot_id() or namespace != _read_namespace():
        return False
    return _read_start_time(number) != start


def _read_boot_id() -> str:
    return _read("sys/kernel/random/boot_id").strip()[:8] or UNKNOWN


def _read_namespace() -> str:
    try:
        return str((PROC / "self/ns/pid").stat().st_ino)
    except OSError:
        return UNKNOWN


def _read_start_time(pid: int) -> str:
    """Read the start time of ``pid`` in clock ticks since boot.

    Empty if there is no such process, or if it is a zombie.
    """
    # the second field is the command in parentheses, which may itself contain spaces and parentheses
    state, *fields = _read(f"{pid}/stat").rpartition(")")[2].split() or [""]
    return "" if state in ("", "Z", "X") else fields[18]


def _read(name: str) -> str:
    try:
        return (PROC / name).read_text()
    except OSError:
        return ""
