"""Run a temporary PostgreSQL server for tests, with the programs of Debian's package."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType

from tests.service import free_port


def find_postgres() -> Path | None:
    """Find the folder of initdb and pg_ctl, which Debian keeps off the PATH."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    if found := shutil.which("initdb"):
        candidates.append(Path(found).resolve().parent)
    return next((folder for folder in candidates if (folder / "initdb").exists()), None)


class Postgres:
    """A server on a free port of ``address``; root runs it as ``postgres``, because it refuses to run as root.

    ``durable``: commits wait for the disk, as in production.
    """

    def __init__(self, programs: Path, durable: bool = False, address: str = "127.0.0.1") -> None:
        self.programs = programs
        self.address = address
        self._fsync = "on" if durable else "off"
        # pytest's own folders are not accessible to other users
        self.home = Path(tempfile.mkdtemp(prefix="speech-postgres-"))
        self.folder = self.home / "data"
        self.port = free_port()
        self.user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        if os.geteuid() == 0:
            shutil.chown(self.home, self.user)

    def __enter__(self) -> Postgres:
        self._run("initdb", "-D", str(self.folder), "-U", self.user, "-A", "trust", "-E", "UTF8")
        with (self.folder / "pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {self.address}/24 trust\n")
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self.home)

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses={self.address} -c unix_socket_directories={self.folder}"
        options += f" -c fsync={self._fsync}"
        self._run("pg_ctl", "-D", str(self.folder), "-o", options, "-l", str(self.folder / "log"), "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder), "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        """Create a database whose name begins with ``name``, and return its address."""
        name = f"{name}_{uuid.uuid4().hex[:8]}"
        self._run("createdb", "-h", self.address, "-p", str(self.port), "-U", self.user, name)
        return f"postgresql://{self.user}@{self.address}:{self.port}/{name}"

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self.programs / program), *arguments]
        if os.geteuid() == 0:
            command = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *command]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL, timeout=120)
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stdout}{done.stderr}")
