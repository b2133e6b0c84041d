"""A recording downloaded by URL gives the same transcript as an upload, also after crashes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import requests

from tests.service import SAMPLE, Service, running, until, write_config
from tests.sources import Source, answered, redirect, source

SOUND = SAMPLE.read_bytes()


@pytest.fixture(scope="module")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that may download from 127.0.0.2, one of this machine's own addresses."""
    folder = tmp_path_factory.mktemp("fetching")
    config = write_config(folder, fetch={"allow": ["127.0.0.2/32"], "parallel": 2, "stall_seconds": 300.0})
    with running(folder, config=config) as service:
        yield service


class Halting:
    """Send half of the recording, and the rest once ``go`` is set."""

    def __init__(self) -> None:
        self.go = False

    def __call__(self, path: str) -> Iterable[bytes]:
        head = answered(SOUND)
        half = len(head) // 2
        yield head[:half]
        while not self.go:
            time.sleep(0.1)
            yield b""
        yield head[half:]


@pytest.fixture
def halting() -> Iterator[Source]:
    with source(Halting(), host="127.0.0.2") as server:
        yield server


def submit(service: Service, url: str, **form: Any) -> str:
    answer = requests.post(f"{service.url}/transcription", data={"file_url": url, **form}, timeout=30)
    assert answer.status_code == 201, answer.text
    identifier: str = answer.json()["identifier"]
    return identifier


def downloading(service: Service, identifier: str, server: Source) -> None:
    until(lambda: server.open and service.task(identifier)["progress"] > 0, "half of it has been received")


def words(task: dict[str, Any]) -> list[tuple[str, float, float]]:
    assert task["status"] == "COMPLETED", task
    return [(segment["text"], segment["start"], segment["end"]) for segment in task["result"]]


def test_url_gives_the_same_transcript_as_the_upload(fetching: Service) -> None:
    def answer(path: str) -> Iterable[bytes]:
        yield answered(SOUND) if path.startswith("/real") else redirect("/real.flac?sig=secret")

    uploaded = fetching.finished(fetching.submit())
    with source(answer, host="127.0.0.2") as server:
        fetched = fetching.finished(submit(fetching, f"{server.url}/a.flac?sig=secret"))
    assert words(fetched) == words(uploaded) != []
    assert fetched["task_params"].pop("file_url") == f"{server.url}/a.flac"
    assert fetched["task_params"] == uploaded["task_params"]
    logs = fetching.log("web.log") + fetching.log("worker.log")
    assert "downloaded" in logs and "secret" not in logs


def test_download_blocks_neither_the_device_nor_the_api(fetching: Service, halting: Source) -> None:
    waiting = submit(fetching, halting.url)
    downloading(fetching, waiting, halting)
    assert fetching.finished(fetching.submit())["status"] == "COMPLETED"
    shown = fetching.task(waiting)
    assert (shown["status"], shown["stage"], shown["started_at"]) == ("QUEUED", "download", None)
    assert 0 < shown["progress"] < 0.1
    halting.answer.go = True  # type: ignore[attr-defined]
    assert fetching.finished(waiting)["status"] == "COMPLETED"


def test_bad_url_fails_only_its_own_task(fetching: Service) -> None:
    def answer(path: str) -> Iterable[bytes]:
        pages = {"/inside": redirect(f"{fetching.url}/health/live"), "/missing": answered(b"", "404 Not Found")}
        yield pages.get(path, answered(b"no sound at all"))

    seen = fetching.log("web.log").count("/health/live")
    with source(answer, host="127.0.0.2") as server:
        failed = [
            fetching.finished(submit(fetching, f"{server.url}{path}")) for path in ("/inside", "/missing", "/text")
        ]
    assert [task["error_code"] for task in failed] == ["blocked_address", "download_failed", "invalid_media"]
    assert "404 Not Found" in failed[1]["error"]
    assert fetching.log("web.log").count("/health/live") == seen  # no request reached it
    answer_to_inside = requests.post(
        f"{fetching.url}/transcription", data={"file_url": f"{fetching.url}/health/live"}, timeout=30
    )
    assert answer_to_inside.status_code == 422
    assert answer_to_inside.json()["errors"]["file_url"][0].startswith("blocked_address: ")


def test_accepted_url_survives_a_killed_supervisor(fetching: Service, halting: Source) -> None:
    identifier = submit(fetching, halting.url)
    downloading(fetching, identifier, halting)
    assert fetching.worker is not None
    fetching.worker.kill()
    fetching.worker.wait(10)
    waiting = fetching.task(identifier)
    assert (waiting["status"], waiting["error"]) == ("QUEUED", None)
    halting.answer.go = True  # type: ignore[attr-defined]
    fetching.start_worker()
    done = fetching.finished(identifier)
    assert done["status"] == "COMPLETED" and done["result"]
    assert len(halting.requests) == 2
    assert {path.name for path in (fetching.cache / identifier).iterdir()} == {"listening", "source"}
