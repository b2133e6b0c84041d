"""Name this process so that another one can tell, on the same machine, whether it still lives: pid, start time, boot.

A pid alone is used again; its start time since boot (proc(5), /proc/PID/stat, field 22) and the boot's own id make it unique.
The pid namespace says whether the pid can be looked up from here at all: that of another container cannot.
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
    """A name nobody else has had or will have; at most 128 characters."""
    parts = [
        platform.node()[:NAME_LENGTH].replace("/", "_") or UNKNOWN,
        _read_boot_id(),
        _read_namespace(),
        str(os.getpid()),
    ]
    return "/".join([*parts, _read_start_time(os.getpid()) or UNKNOWN, role, uuid.uuid4().hex[:8]])


def is_provably_dead(holder: str) -> bool:
    """Whether the process of that name has ended for certain; False also where nothing can be known of it."""
    try:
        _node, boot, namespace, pid, start, *_ = holder.split("/")
        number = int(pid)
    except ValueError:
        return False
    if UNKNOWN in (boot, start) or UNKNOWN in (_read_boot_id(), _read_namespace()):
        return False
    # another boot id may be another machine's: its lease tells
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
    """Clock ticks from boot to the start of ``pid``; empty when there is no such process, or it is only not yet reaped."""
    state, *fields = _read(f"{pid}/stat").rpartition(")")[2].split() or [""]
    return "" if state in ("", "Z", "X") else fields[18]


def _read(name: str) -> str:
    try:
        return (PROC / name).read_text()
    except OSError:
        return ""
