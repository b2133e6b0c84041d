"""A network of "machines" on this one: namespaces of network, processes, mounts and host names, on a bridge.

Each machine has its own processes, host name, /proc, /dev/shm and temporary folder of Ray, and one cable that can be
pulled. The host is on the network, too. See network_namespaces(7), pid_namespaces(7), mount_namespaces(7).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil

from tests.service import ROOT

PROGRAMS = ("ip", "unshare", "nsenter", "setpriv")
NAMESPACES = ["unshare", "--net", "--mount", "--pid", "--fork", "--uts", "--mount-proc"]
SUBNETS = range(1, 250)  # the third number of 198.18.0.0/16, a block for tests of networks (RFC 2544)
RAY_FOLDER = Path("/tmp/ray")


def find_obstacle() -> str | None:
    """Return why there can be no machines here, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        return f"not installed: {', '.join(missing)}"
    trial = f"trial{os.getpid()}"
    for attempt in ([*NAMESPACES, "true"], ["ip", "link", "add", trial, "type", "bridge"]):
        tried = subprocess.run(attempt, capture_output=True, text=True)
        if tried.returncode:
            return f"no namespaces here: {' '.join(attempt)}: {tried.stderr.strip()}"
    _ip("link", "del", trial)
    return None


class Network:
    """A bridge and its addresses. The host is in it as ``host``."""

    def __init__(self) -> None:
        for number in SUBNETS:
            self.bridge, self._subnet = f"speech{number}", f"198.18.{number}"
            made = subprocess.run(["ip", "link", "add", self.bridge, "type", "bridge"], capture_output=True)
            if made.returncode == 0:
                break
        else:
            raise RuntimeError("all networks for tests are in use")
        self.host = self.name_address(1)

    def __enter__(self) -> Network:
        _ip("addr", "add", f"{self.host}/24", "dev", self.bridge)
        _ip("link", "set", self.bridge, "up")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _ip("link", "del", self.bridge)

    def name_address(self, number: int) -> str:
        return f"{self._subnet}.{number}"


class Machine:
    """A machine with a ``disk`` that survives its death; all machines see their own at the same path, ``local``."""

    def __init__(self, network: Network, name: str, number: int, disk: Path, local: Path) -> None:
        self.name = name
        self.address = network.name_address(number)
        self._bridge = network.bridge
        self.disk = disk
        self._local = local
        self._cable = f"{network.bridge}-{name}"
        self._boots = 0
        self._root: subprocess.Popen[str] | None = None
        self._first = 0  # pid, as the host sees it
        for folder in (disk, local):
            folder.mkdir(parents=True, exist_ok=True)

    def boot(self) -> None:
        """Start it, without any program."""
        self._boots += 1
        RAY_FOLDER.mkdir(exist_ok=True)
        temporary = self.disk / f"ray-{self._boots}"  # as after a real boot, /tmp is empty
        temporary.mkdir()
        steps = [
            f"hostname {self.name}",
            "ip link set lo up",
            f"mount --bind {self.disk} {self._local}",
            f"mount --bind {temporary} {RAY_FOLDER}",
            "mount -t tmpfs -o size=1g tmpfs /dev/shm",
            "echo ready",
            "exec sleep infinity",
        ]
        # ends with the tests, also if these are killed
        own = ["setpriv", "--pdeathsig", "KILL", *NAMESPACES, "--kill-child"]
        command = [*own, "sh", "-ec", "\n".join(steps)]
        with (self.disk / "boot.log").open("ab") as errors:
            self._root = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
        assert self._root.stdout is not None and self._root.stdout.readline() == "ready\n"
        (first,) = psutil.Process(self._root.pid).children()
        self._first = first.pid
        _ip("link", "add", self._cable, "type", "veth", "peer", "name", "eth0", "netns", str(self._first))
        _ip("link", "set", self._cable, "master", self._bridge, "up")
        inside = ["nsenter", "-t", str(self._first), "-n", "ip"]
        subprocess.run([*inside, "addr", "add", f"{self.address}/24", "dev", "eth0"], check=True)
        subprocess.run([*inside, "link", "set", "eth0", "up"], check=True)

    def kill(self) -> None:
        """End all its processes at once, like a loss of power."""
        if self._root is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(self._first).kill()  # the kernel kills the others of its namespace
            self._root.wait(30)
            self._root = None
            subprocess.run(["ip", "link", "del", self._cable], capture_output=True)  # the kernel would do so later

    def pull_cable(self) -> None:
        _ip("link", "set", self._cable, "down")

    def plug_cable(self) -> None:
        _ip("link", "set", self._cable, "up")

    def keep_running(self, *command: str, environment: Mapping[str, str], log: str) -> None:
        """Run a program, and start it again a second after its end, like systemd. ``log`` is a name on its disk."""
        loop = 'cd "$0"; while :; do "$@"; echo "ended with status $?"; sleep 1; done'
        enter = ["nsenter", "-t", str(self._first), "-n", "-m", "-p", "-u", "sh", "-c", loop, str(ROOT), *command]
        with (self.disk / log).open("ab") as output:
            subprocess.Popen(enter, env={**os.environ, **environment}, stdout=output, stderr=output)

    def stop_restarting(self, *words: str) -> None:
        """Let a program end for good when it ends."""
        for loop in self._find(words, is_loop=True):
            loop.kill()

    def read_log(self, name: str) -> str:
        path = self.disk / name
        return path.read_text(errors="replace") if path.exists() else ""

    def find(self, *words: str) -> list[psutil.Process]:
        """Find its processes whose command line has all ``words``; the loops around programs do not count."""
        return self._find(words, is_loop=False)

    def _find(self, words: tuple[str, ...], is_loop: bool) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):  # ended meanwhile, or not ours
                command = process.cmdline()
                mine = _read_namespace(process.pid) == _read_namespace(self._first)
                if (
                    mine
                    and (command[:2] == ["sh", "-c"]) == is_loop
                    and all(word in " ".join(command) for word in words)
                ):
                    found.append(process)
        return found


def _read_namespace(pid: int) -> str:
    return os.readlink(f"/proc/{pid}/ns/pid")


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True)
