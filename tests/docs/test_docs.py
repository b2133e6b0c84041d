"""The commands and requests in the documentation work, and give the answers shown."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
import yaml
from flask import Flask
from werkzeug.datastructures import MultiDict

from app.core.db import connection, heartbeats
from app.schemas.batch import BATCH
from tests.docs.markdown import blocks, code, pages
from tests.service import MINI, ROOT, SAMPLE, Service, free_port, until

HOST = "http://127.0.0.1:8000"
IDENTIFIER = "86bf091c-17e9-4293-9839-95f53f70653e"
PUBLIC_ADDRESS = "93.184.215.14"  # instead of media.example, to avoid a DNS lookup; nothing connects
TARGET = re.compile(r"\bmake ([a-z][a-z-]*)")
BIN = Path(sys.executable).parent


def targets(page: str) -> list[str]:
    return sorted(set(TARGET.findall(code(page))))


# --- make ---


def make(*arguments: str) -> list[str]:
    """Build a make command that does not install packages into the environment of the tests."""
    ready = re.findall(r"^READY\w*\s*:=\s*\$\(VENV\)/(\S+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert ready
    done = [argument for name in ready for argument in ("-o", str(BIN.parent / name))]
    return ["make", f"VENV={BIN.parent}", *done, *arguments]


def environment(folder: Path, **variables: str) -> dict[str, str]:
    own = {"CACHE_DIR": str(folder / "cache"), "DB_URL": f"sqlite:///{folder / 'records.db'}"}
    path = f"{BIN}:{os.environ['PATH']}"
    return {**os.environ, **own, "PATH": path, "PORT": str(free_port()), **variables}


@pytest.mark.parametrize(("page", "target"), [(page, target) for page in pages() for target in targets(page)])
def test_every_make_target_exists(page: str, target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("target", targets("README.md"))
def test_every_make_target_of_the_readme_is_run(target: str) -> None:
    """By a test below or, for those that run the tests, by CI."""
    in_ci = re.search(rf"^make {target}$", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert in_ci or f"test_make_{target.replace('-', '_')}" in globals()


@pytest.mark.slow
def test_make_demo(tmp_path: Path) -> None:
    done = subprocess.run(make("demo"), cwd=ROOT, env=environment(tmp_path), capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Transcript (" in done.stdout and "SPEAKER_00" in done.stdout


@pytest.mark.slow
def test_make_demo_of_a_recording(tmp_path: Path) -> None:
    own = environment(tmp_path, CONFIG="models/mini/config.yaml")
    recording = shutil.copy(SAMPLE, tmp_path / "my recording.flac")
    done = subprocess.run(
        make("demo", f"FILE={recording}", "MODEL=mini"), cwd=ROOT, env=own, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Transcript (" in done.stdout and "make serve MODEL=mini" in done.stdout
    assert "Reference transcript" not in done.stdout


@pytest.mark.slow
def test_make_serve(tmp_path: Path) -> None:
    command = "CONFIG=models/mini/config.yaml make serve"
    assert command in code("README.md")
    own = environment(tmp_path, CONFIG="models/mini/config.yaml")
    with (tmp_path / "log").open("wb") as log:
        served = subprocess.Popen(make("serve"), cwd=ROOT, env=own, stdout=log, stderr=log, start_new_session=True)
    try:
        what = f"make serve answers; its log: {tmp_path / 'log'}"
        until(lambda: alive(f"http://127.0.0.1:{own['PORT']}"), what)
        family = [served, *psutil.Process(served.pid).children(recursive=True)]
    finally:
        os.killpg(served.pid, signal.SIGINT)
        served.wait(30)
    assert not psutil.wait_procs([each for each in family if isinstance(each, psutil.Process)], timeout=10)[1]


def alive(url: str) -> bool:
    with contextlib.suppress(requests.ConnectionError, requests.Timeout):
        return requests.get(f"{url}/health/live", timeout=5).status_code == 200
    return False


# --- python -m workers.models ---


def models(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workers.models", *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | variables, capture_output=True, text=True, timeout=60)


def commands(page: str, start: str) -> list[list[str]]:
    lines = [line for _, text in blocks(page) for line in text.splitlines() if line.startswith(start)]
    return [shlex.split(line, comments=True) for line in lines]


def test_commands_for_models_run(tmp_path: Path) -> None:
    shown = [command[3:] for command in commands("docs/models.md", "python -m workers.models")]
    assert {command[0] for command in shown} == {"list", "pull", "check"}
    own = {"CONFIG": str(MINI / "config.yaml")} | {
        name: value for name, value in environment(tmp_path).items() if name in ("CACHE_DIR", "DB_URL")
    }
    listed, checked = models("list", **own), models("check", **own)
    assert listed.returncode == 0 and "separate:mini *" in listed.stdout, listed.stderr
    assert checked.returncode == 0 and "The service can run here." in checked.stdout, checked.stdout + checked.stderr


def test_models_to_pull_are_listed() -> None:
    texts = [text for page in pages() for text in re.findall(r"workers\.models pull (.+)", code(page))]
    named = [name for text in texts for name in shlex.split(re.sub(r"--from \w+", "", text), comments=True)]
    known = {line.split()[0] for line in models("list", CONFIG="config.yaml").stdout.splitlines() if line}
    assert len(named) > 4 and {name for name in named if name != "NAME"} <= known


# --- requests ---


@dataclass(frozen=True)
class Curl:
    """The request of a curl command."""

    method: str
    path: str
    form: list[tuple[str, str]]
    headers: dict[str, str]
    body: str | None = None


def curl(line: str) -> Curl:
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("-F", action="append", default=[])
    parser.add_argument("-H", action="append", default=[])
    parser.add_argument("-N", action="store_true")
    parser.add_argument("-X")
    parser.add_argument("-d")
    parser.add_argument("-O", action="store_true")
    parser.add_argument("-J", action="store_true")
    parser.add_argument("url")
    asked = parser.parse_args(shlex.split(line.removeprefix("$ "), comments=True)[1:])
    assert asked.url.startswith(f"{HOST}/"), line
    form = [(name, value) for name, _, value in (field.partition("=") for field in asked.F)]
    headers = {name: value.strip() for name, _, value in (header.partition(":") for header in asked.H)}
    return Curl(asked.X or ("POST" if form else "GET"), asked.url.removeprefix(HOST), form, headers, asked.d)


def shown_requests(page: str) -> list[str]:
    return [line for _, text in blocks(page) for line in text.splitlines() if re.match(r"(\$ )?curl ", line)]


@pytest.fixture
def mini_settings(mini_settings: Any) -> Any:
    """The settings of the web side, with the models that the documentation names."""
    shipped = yaml.safe_load((ROOT / "config.yaml").read_text())["whisper"]["models"]
    limits = replace(mini_settings.limits, max_wait=0.05)  # no worker runs
    return replace(mini_settings, whisper=replace(mini_settings.whisper, models=shipped), limits=limits)


ALL_REQUESTS = [line for page in pages() for line in shown_requests(page)]


@pytest.mark.parametrize("line", ALL_REQUESTS)
def test_every_documented_request_is_accepted(web: Flask, line: str) -> None:
    """409 is the right answer to a request for the result of a waiting task, 408 or 503 to a client that waits too long."""
    asked, client = curl(line), web.test_client()
    with connection.database.connection_context():  # clients that wait are refused without a worker
        heartbeats.record_heartbeat("worker", [{"device": "cpu", "state": "idle", "cause": None}])
    path = re.sub("wait=[0-9]+", "wait=0", asked.path)
    for shown, submit in ((IDENTIFIER, "/transcription"), (BATCH, "/batch")):
        known = client.post(submit, data={"file": (io.BytesIO(b"RIFF"), "a.wav")}).get_json()["identifier"]
        path = path.replace(shown, known)
    form = MultiDict(
        (name, (io.BytesIO(b"RIFF"), value[1:]))
        if value.startswith("@")
        else (name, value.replace("media.example", PUBLIC_ADDRESS))
        for name, value in asked.form
    )
    answer = client.open(path, method=asked.method, data=asked.body or form or None, headers=asked.headers)
    waited = answer.status_code in (408, 503) and "X-Speech-Task" in answer.headers
    assert waited or answer.status_code in (200, 201, 202, 204, 409), answer.text


def test_requests_are_found_in_the_pages() -> None:
    assert len(ALL_REQUESTS) > 15


def elided(text: str) -> Any:
    """Parse JSON in which `...` stands for omitted parts; it becomes a member `...`."""
    text = re.sub(r",\s*\.\.\.(?=\s*\])", ', "..."', text)
    return json.loads(re.sub(r",\s*\.\.\.(?=\s*[,}])", ', "...": null', text))


def differences(shown: Any, real: Any, where: str = "answer") -> Iterator[str]:
    """Find members that are only in ``shown``, or only in ``real`` if ``shown`` has no `...`."""
    if isinstance(shown, dict) and isinstance(real, dict):
        names = set(shown) - {"..."}
        if names - set(real) or ("..." not in shown and names != set(real)):
            yield f"{where}: {sorted(names ^ set(real))}"
        for name in names & set(real):
            yield from differences(shown[name], real[name], f"{where}.{name}")
    elif isinstance(shown, list) and isinstance(real, list):
        for item in shown if real else ():
            if item != "...":
                yield from differences(item, real[0], f"{where}[]")
    elif shown is not None and real is not None and type(shown) is not type(real):
        yield f"{where}: {type(real).__name__}"


@pytest.fixture(scope="module")
def answers(service: Service) -> dict[str, Any]:
    """The answers of the service to the first request and its poll, by path."""
    posted = service.post().json()
    return {"/transcription": posted, f"/task/{IDENTIFIER}": service.finished(posted["identifier"])}


@pytest.mark.slow
def test_first_request_is_answered_as_shown(answers: dict[str, Any]) -> None:
    text = next(text for _, text in blocks("README.md") if text.startswith("$ curl"))
    exchanges = [exchange.split("\n", 1) for exchange in re.split(r"^(?=\$ )", text, flags=re.MULTILINE) if exchange]
    assert [curl(line).path for line, _ in exchanges] == list(answers)
    for line, shown in exchanges:
        assert list(differences(elided(shown), answers[curl(line).path])) == []


@pytest.mark.slow
def test_answers_match_the_reference(web: Flask, answers: dict[str, Any]) -> None:
    shown = [elided(text) for language, text in blocks("docs/api.md") if language == "json"]
    task = answers[f"/task/{IDENTIFIER}"]
    segments, spans, stems, followed, listed, known, error = shown
    assert list(differences(segments, task["result"])) == []
    assert list(differences(followed, task)) == []
    client = web.test_client()
    assert error == client.post("/transcription?beam_size=0").get_json()
    client.post("/vad", data={"file": (io.BytesIO(b"RIFF"), "a.wav")})
    assert list(differences(listed, client.get("/task").get_json())) == []
    assert list(differences(known, client.get("/models").get_json())) == []
    assert spans[0].keys() == {"start", "end"} and stems.keys() == {"instrumental_hash", "vocal_hash", "files"}


def test_batches_are_answered_as_shown(web: Flask) -> None:
    client = web.test_client()
    submitted, followed = (elided(text) for language, text in blocks("docs/batches.md") if language == "json")
    answer = client.post("/batch", data={"file": (io.BytesIO(b"RIFF"), "a.wav")}).get_json()
    assert list(differences(submitted, answer)) == []
    assert list(differences(followed, client.get(f"/batch/{answer['identifier']}").get_json())) == []


def test_wrong_examples_are_found() -> None:
    real = {"status": "QUEUED", "result": [{"start": 0.1, "end": 1}]}
    assert list(differences(elided('{"status": "QUEUED", ...}'), real)) == []
    assert list(differences(elided('{"status": "QUEUED"}'), real)) == ["answer: ['result']"]
    assert list(differences(elided('{"state": "QUEUED", ...}'), real)) == ["answer: ['result', 'state', 'status']"]
    assert list(differences(elided('{"result": [{"begin": 1, ...}, ...], ...}'), real)) != []


SUBMISSIONS = ("/transcription", "/vad", "/bgm-separation", "/detect-language", "/alignment")
REFERENCE = (ROOT / "docs/api.md").read_text()


@pytest.mark.parametrize("path", SUBMISSIONS)
def test_every_parameter_is_documented(web: Flask, path: str) -> None:
    described = web.test_client().get("/openapi.json").get_json()["paths"][path]["post"]["parameters"]
    names = {parameter["name"] for parameter in described}
    assert len(names) > 4
    assert {name for name in names if f"`{name}`" not in REFERENCE} == set()


def test_every_path_is_documented(web: Flask) -> None:
    paths = web.test_client().get("/openapi.json").get_json()["paths"]
    shown = {re.sub(r"\{.*?\}", "", path).strip("/").split("/")[0] for path in paths}
    assert {path for path in shown if f"/{path}" not in REFERENCE} == set()


def test_every_error_code_is_documented() -> None:
    sources = "\n".join(path.read_text() for side in ("app", "workers") for path in (ROOT / side).rglob("*.py"))
    codes = set(re.findall(r"""(?:SpeechError|Failure)\(\s*["']([a-z_]+)["']""", sources))
    assert {"invalid_media", "worker_crashed", "timeout"} <= codes
    assert {name for name in codes if f"`{name}`" not in REFERENCE} == set()
