"""Two web processes: keys take effect in both at once, their requests are one sum, the log has names and no keys."""

from __future__ import annotations

import contextlib
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.app.metrics_text import parse
from tests.service import ROOT, Service, until, write_config

REQUESTS = 24  # each on a new connection, so that both processes get some


@pytest.fixture
def web_only(tmp_path: Path) -> Iterator[Service]:
    service = Service(tmp_path, write_config(tmp_path, server={"processes": 2}))
    service.start_web()
    yield service
    service.stop()


def run(service: Service, *arguments: str) -> str:
    command = [sys.executable, "-m", "app.keys", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=service.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def ask(service: Service, key: str | None, path: str = "/task") -> requests.Response:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return requests.get(service.url + path, headers=headers, timeout=30)


def statuses(service: Service, key: str | None) -> set[int]:
    return {ask(service, key).status_code for _ in range(REQUESTS)}


def count_stored(service: Service, status: int) -> int:
    """The requests in the database, which a scrape would first add to."""
    with contextlib.closing(sqlite3.connect(service.folder / "records.db")) as opened:
        query = "SELECT coalesce(sum(requests), 0) FROM request_total WHERE status = ?"
        return int(opened.execute(query, (status,)).fetchone()[0])


def count(service: Service, key: str, status: int) -> float:
    samples = parse(ask(service, key, "/metrics").text)
    name = f'speech_http_request_duration_seconds_count{{facade="native",method="GET",status="{status}"}}'
    return samples.get(name, 0.0)


def test_keys_and_counts_hold_for_all_web_processes(web_only: Service) -> None:
    assert statuses(web_only, None) == {200}
    admin = run(web_only, "create", "root", "--admin")
    key = run(web_only, "create", "alice")
    assert statuses(web_only, None) == {401}
    assert statuses(web_only, key) == {200}
    run(web_only, "revoke", "alice")
    assert statuses(web_only, key) == {401}

    refused = 2 * REQUESTS
    until(lambda: count_stored(web_only, 401) == refused, "both processes have stored their counts", 60)
    assert count(web_only, admin, 401) == refused
    earlier = 0.0
    for _ in range(REQUESTS):
        latest = count(web_only, admin, 200)
        assert latest >= earlier, "a counter has fallen"
        earlier = latest

    log = web_only.log("web.log")
    assert log.count("no API keys") == 1
    assert key not in log and admin not in log
    assert len(re.findall(r'"GET /task" 200 .* ms key alice$', log, re.MULTILINE)) == REQUESTS
    assert not re.search(r'" 401 .* key ', log)
