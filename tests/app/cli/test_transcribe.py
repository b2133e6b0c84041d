"""speech transcribe: uploads, waits and writes the results."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, request

from app.cli import outputs
from app.cli.journal import Journal, make_key
from app.cli.main import main
from tests.app.cli.conftest import BAD, RESULT, SRT, Served, Worker, until
from tests.app.posting import rows
from tests.service import ROOT, SAMPLE, Service, free_port


def record(*names: str, content: bytes | None = None) -> list[str]:
    """Write recordings with their own contents; return their names."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content or name.encode())
    return list(names)


def files(folder: str = ".") -> set[str]:
    found = {path.relative_to(folder) for path in Path(folder).rglob("*") if path.is_file()}
    return {str(path) for path in found if path.parts[0] != "state"}


def entries(home: Path) -> list[Path]:
    """The journal's files."""
    return list((home / "state" / "speech").iterdir())


def test_results_are_written_beside_the_recordings(worker: Worker, home: Path) -> None:
    assert main(["transcribe", *record("a.mp3", "sub/b.wav")]) == 0
    assert Path("a.srt").read_text() == Path("sub/b.srt").read_text() == SRT
    assert files() == {"a.mp3", "a.srt", "sub/b.wav", "sub/b.srt"}
    assert entries(home) == []


def test_several_formats_are_written_to_one_folder(worker: Worker) -> None:
    command = ["transcribe", *record("a.mp3", "b.wav"), "--format", "json,txt", "--format", "vtt", "--to", "out/new"]
    assert main(command) == 0
    assert files("out/new") == {f"{name}.{form}" for name in "ab" for form in ("json", "txt", "vtt")}
    assert json.loads(Path("out/new/a.json").read_text()) == RESULT


def test_formats_of_other_programs_have_their_extensions(worker: Worker) -> None:
    formats = ["--format", "textgrid:words=false", "--format", "qda:stamps=f4,audacity,eaf", "--to", "out"]
    assert main(["transcribe", *record("a.mp3"), *formats]) == 0
    assert files("out") == {"a.TextGrid", "a.qda.txt", "a.labels.txt", "a.eaf"}
    assert Path("out/a.qda.txt").read_text() == "grüß dich #00:00:01-2#\n"
    assert "- words" not in Path("out/a.TextGrid").read_text()


@pytest.mark.parametrize("formats", ["qda,qda:stamps=f4", "../x", "qda:stamps", "qda:stamps=f4=f4"])
def test_unclear_format_is_refused(formats: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", *record("a.mp3"), "--format", formats]) == 2
    assert "format" in capsys.readouterr().err


def test_choice_without_effect_is_refused_before_the_upload(worker: Worker, served: Served) -> None:
    assert main(["transcribe", *record("a.mp3"), "--format", "srt:words=true"]) == 1
    assert served.uploads == 0


def test_options_become_parameters(worker: Worker) -> None:
    options = ["--language", "german", "--model", "mini", "--translate", "--speakers", "2", "--set", "beam_size=8"]
    prompt = "Grünwald = \r\n--x"
    assert main(["transcribe", *record("a.mp3"), *options, "--set", f"initial_prompt={prompt}"]) == 0
    (row,) = rows()
    params = json.loads(row.params)
    shown = {name: params[name] for name in ("lang", "is_translate", "is_diarize", "num_speakers", "beam_size")}
    assert shown == {"lang": "de", "is_translate": True, "is_diarize": True, "num_speakers": 2, "beam_size": 8}
    assert params["initial_prompt"] == prompt


def test_number_of_speakers_may_be_open(worker: Worker) -> None:
    assert main(["transcribe", *record("a.mp3"), "--speakers", "auto"]) == 0
    params = json.loads(rows()[0].params)
    assert params["is_diarize"] and params["num_speakers"] is None


@pytest.mark.parametrize("name", ['quo"ted.mp3', "Gespräch 字.wav", "-i.wav", "%22.wav", "new\nline.wav"])
def test_file_names_arrive_as_labels(worker: Worker, name: str) -> None:
    assert main(["transcribe", "--", *record(name)]) == 0
    (row,) = rows()
    # Browsers and this client encode what would end the header: the standard for forms says so.
    assert row.file_name.replace("%22", '"').replace("%0A", "\n") == name.replace("%22", '"')
    assert Path(name).with_suffix(".srt").read_text() == SRT


def test_failures_are_summed_up(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    record("bad.mp3", content=BAD)
    assert main(["transcribe", "bad.mp3", *record("good.mp3")]) == 1
    said = capsys.readouterr().err
    assert "1 transcribed, 1 failed" in said
    assert "  bad.mp3: invalid_media: The recording cannot be decoded." in said.splitlines()
    assert files() == {"bad.mp3", "good.mp3", "good.srt"}


def test_failed_recording_is_submitted_anew_by_the_next_command(worker: Worker, served: Served, home: Path) -> None:
    record("a.mp3", content=BAD)
    assert main(["transcribe", "a.mp3"]) == main(["transcribe", "a.mp3"]) == 1
    assert len(rows()) == served.uploads == 2


def test_warnings_of_a_task_are_shown(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", *record("a.mp3"), "--set", "threshold=0.7"]) == 0
    assert "a.mp3: done; warning: threshold has no effect: vad_filter is off." in capsys.readouterr().err


def test_refused_parameter_is_named(worker: Worker, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", *record("a.mp3"), "--set", "beam_size=0"]) == 1
    assert "beam_size: Must be greater than or equal to 1" in capsys.readouterr().err


def test_all_recordings_are_uploaded_while_others_run(worker: Worker, served: Served) -> None:
    worker.paused.set()
    command = start("transcribe", *record("a", "b", "c", "d", "e"), "--jobs", "3")
    until(lambda: len(rows()) == 3, "three tasks are submitted")
    worker.paused.clear()
    assert command.wait(60) == 0 and len(rows()) == 5


# --- again ---


def start(*arguments: str) -> subprocess.Popen[str]:
    """Run the command as a process of its own."""
    command = [sys.executable, "-m", "app.cli", *arguments]
    return subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.PIPE, text=True)


def test_interrupted_command_continues(worker: Worker, served: Served, home: Path) -> None:
    worker.paused.set()
    running = start("transcribe", *record("a.mp3", "b.mp3"))
    until(lambda: len(entries(home)) == 2 if (home / "state").exists() else False, "both tasks are noted")
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130 and "Run the same command again to continue." in said
    assert "Traceback" not in said and "2 not finished" in said
    worker.paused.clear()
    assert main(["transcribe", "a.mp3", "b.mp3"]) == 0
    assert served.uploads == len(rows()) == 2
    assert Path("a.srt").read_text() == Path("b.srt").read_text() == SRT
    assert entries(home) == []


def test_lost_journal_costs_an_upload_but_no_second_task(worker: Worker, served: Served, home: Path) -> None:
    assert main(["transcribe", *record("a.mp3")]) == 0
    Path("a.srt").unlink()
    assert entries(home) == []
    assert main(["transcribe", "a.mp3"]) == 0
    assert served.uploads == 2 and len(rows()) == 1


def test_other_parameters_or_content_make_another_task(worker: Worker) -> None:
    record("a.mp3")
    assert main(["transcribe", "a.mp3"]) == main(["transcribe", "a.mp3", "--language", "de", "--again"]) == 0
    record("a.mp3", content=b"new content")
    assert main(["transcribe", "a.mp3", "--again"]) == 0
    assert len(rows()) == 3


def test_deleted_task_is_submitted_anew(worker: Worker, served: Served, home: Path, web: Flask) -> None:
    record("a.mp3")
    (home / "state" / "speech").mkdir(parents=True)
    assert main(["transcribe", "a.mp3"]) == 0
    (row,) = rows()
    Journal().remember(make_key(f"{served.url}/transcription", Path("a.mp3"), {}), row.uuid)
    web.test_client().delete(f"/task/{row.uuid}")
    assert main(["transcribe", "a.mp3", "--again"]) == 0
    assert len(rows()) == 1 and rows()[0].uuid != row.uuid


def test_finished_recordings_are_skipped(worker: Worker, served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["transcribe", *record("a.mp3", "b.mp3")]
    assert main(command) == main(command) == 0
    assert served.uploads == 2 and "2 skipped" in capsys.readouterr().err
    Path("b.srt").unlink()
    os.utime("a.mp3", (2e9, 2e9))  # replaced by a newer recording
    assert main(command) == 0
    assert served.uploads == 4 and Path("b.srt").read_text() == SRT


def test_result_is_written_as_a_whole_or_not_at_all(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(descriptor: int) -> None:
        raise OSError(28, "No space left on device", "a.srt")

    record("a.mp3")
    with monkeypatch.context() as faulty:
        faulty.setattr(outputs, "os", SimpleNamespace(fsync=failing))  # not the server's
        assert main(["transcribe", "a.mp3"]) == 1
    assert "No space left on device" in capsys.readouterr().err
    assert {path.name for path in home.iterdir()} == {"a.mp3", "state"}
    assert main(["transcribe", "a.mp3"]) == 0 and len(rows()) == 1


# --- a server that is busy, or away ---


class Refusal:
    """Answers matching requests with an error, ``times`` times."""

    def __init__(self, status: str, times: int, method: str = "", **headers: str) -> None:
        self.status, self.left, self.method = status, times, method
        self.headers = [(name.replace("_", "-"), value) for name, value in headers.items()]

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes] | None:
        if not self.left or self.method not in environ["REQUEST_METHOD"]:
            return None
        self.left -= 1
        environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        start_response(self.status, [("Content-Type", "application/json"), *self.headers])
        return [b'{"message": "The queue is full."}']


@pytest.mark.parametrize("status", ["429 TOO MANY REQUESTS", "503 SERVICE UNAVAILABLE"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_busy_server_is_asked_again_when_it_says(
    worker: Worker, served: Served, pauses: list[float], status: str, method: str
) -> None:
    served.faults.append(Refusal(status, 1, method, Retry_After="7"))
    command = ["transcribe", *record("a.mp3")]
    if method == "GET" and status.startswith("503"):
        assert main(command) == 1  # the first request shows whether the service can be used at all
    assert main(command) == 0
    if not (method == "GET" and status.startswith("503")):
        assert 7.0 in pauses
    assert len(rows()) == 1


def test_full_queue_is_waited_for_however_long(worker: Worker, served: Served, pauses: list[float]) -> None:
    served.faults.append(Refusal("429 TOO MANY REQUESTS", 30, "POST", Retry_After="60"))
    assert main(["transcribe", *record("a.mp3")]) == 0
    assert pauses.count(60.0) == 30


def test_server_that_wants_a_very_long_pause_is_not_waited_for(
    worker: Worker, served: Served, capsys: pytest.CaptureFixture[str]
) -> None:
    served.faults.append(Refusal("429 TOO MANY REQUESTS", 1, "POST", Retry_After="86400"))
    assert main(["transcribe", *record("a.mp3")]) == 1
    assert "The queue is full. (may be tried again in 86400 s)" in capsys.readouterr().err


def test_lost_connection_does_not_end_the_command(worker: Worker, served: Served, pauses: list[float]) -> None:
    worker.paused.set()
    command = start("transcribe", *record("a.mp3"))
    until(lambda: any("GET /task/" in each and not each.endswith("result") for each in served.requests), "it polls")
    served.stop()
    worker.paused.clear()
    until(lambda: rows()[0].status == "COMPLETED", "the task ends meanwhile")
    served.start()
    assert command.wait(60) == 0
    assert Path("a.srt").read_text() == SRT and served.uploads == 1


def test_upload_that_the_server_breaks_off_is_asked_about(worker: Worker, served: Served, pauses: list[float]) -> None:
    refusal = Refusal("429 TOO MANY REQUESTS", 1, "POST", Retry_After="9")

    def break_off(environ: dict[str, Any], start_response: Any) -> Iterable[bytes] | None:
        if environ["REQUEST_METHOD"] != "POST" or refusal in served.faults:
            return None
        served.faults.append(refusal)
        environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
        start_response("500 INTERNAL SERVER ERROR", [])
        return [b""]

    served.faults.append(break_off)
    assert main(["transcribe", *record("a.mp3", content=b"x" * 2**20)]) == 0
    assert 9.0 in pauses and len(rows()) == 1 and served.uploads == 3


def test_unreachable_server_is_named_at_once(capsys: pytest.CaptureFixture[str], pauses: list[float]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    assert main(["transcribe", *record("a.mp3"), "--url", url]) == 1
    assert capsys.readouterr().err == f"speech: {url} cannot be reached: Connection refused\n"
    assert pauses == []


def test_server_that_goes_away_for_good_fails_the_recording(
    served: Served, pauses: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.cli.main.PATIENCE_SECONDS", 0.1)
    served.faults.append(Refusal("503 SERVICE UNAVAILABLE", 1000, "POST", Retry_After="1"))
    assert main(["transcribe", *record("a.mp3")]) == 1
    assert "a.mp3: The queue is full." in capsys.readouterr().err


def test_another_web_server_is_recognized(served: Served, web: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    def answer(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [("Content-Type", "text/html")])
        return [b"<h1>Welcome</h1>"]

    served.faults.append(answer)
    assert main(["transcribe", *record("a.mp3")]) == 1
    assert "does not answer like the speech service" in capsys.readouterr().err


def test_redirect_is_reported(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.faults.append(Refusal("301 MOVED PERMANENTLY", 1, "POST", Location="https://speech.example/transcription"))
    assert main(["transcribe", *record("a.mp3")]) == 1
    assert "at another address: https://speech.example" in capsys.readouterr().err


# --- keys ---


@pytest.mark.parametrize("option", [True, False])
def test_key_is_sent_and_a_netrc_is_not(
    worker: Worker, web: Flask, home: Path, monkeypatch: pytest.MonkeyPatch, option: bool
) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    sent: set[str | None] = set()
    web.before_request(lambda: sent.add(request.headers.get("Authorization")))
    if not option:
        monkeypatch.setenv("SPEECH_API_KEY", "k1")
    assert main(["transcribe", *record("a.mp3"), *(["--key", "k1"] if option else [])]) == 0
    assert sent == {"Bearer k1"}


def test_missing_key_is_explained(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    served.faults.append(Refusal("401 UNAUTHORIZED", 1))
    assert main(["transcribe", *record("a.mp3")]) == 1
    assert "SPEECH_API_KEY" in capsys.readouterr().err and served.uploads == 0


# --- mistakes ---


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Give recordings, or a folder with --watch."),
        (["a.mp3", "--watch", "."], "Give recordings, or a folder with --watch."),
        (["nothing.mp3"], "nothing.mp3: there is no such file."),
        (["sub"], "sub is a folder"),
        (["--watch", "a.mp3"], "a.mp3 is not a folder."),
        (["a.mp3", "sub/a.mp3", "--to", "out"], "would both be written to out/a.mp3.srt"),
        (["a.srt"], "a.srt is a recording"),
        (["a.mp3", "--format", "../x"], "is not a format"),
        (["a.mp3", "--speakers", "some"], "--speakers takes a number, or auto."),
        (["a.mp3", "--set", "beam_size"], "--set takes NAME=VALUE"),
        (["a.mp3", "--jobs", "0"], "--jobs must be at least 1."),
    ],
)
def test_wrong_command_is_explained(
    served: Served, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    record("a.mp3", "sub/a.mp3", "a.srt")
    assert main(["transcribe", *arguments]) == 2
    assert says in capsys.readouterr().err and served.requests == []


def test_unknown_format_is_refused_before_the_upload(served: Served, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["transcribe", *record("a.mp3"), "--format", "doc"]) == 1
    assert "srt" in capsys.readouterr().err and served.uploads == 0


def test_recordings_of_the_same_name_keep_their_extension(worker: Worker) -> None:
    assert main(["transcribe", *record("a.mp3", "a.wav", "b.wav"), "b.wav"]) == 0
    assert {name for name in files() if name.endswith("srt")} == {"a.mp3.srt", "a.wav.srt", "b.srt"}


# --- the real service ---


def test_command_transcribes_with_the_real_service(
    service: Service, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["transcribe", str(SAMPLE), "--to", "out", "--format", "txt", "--url", service.url]) == 0
    assert (home / "out" / f"{SAMPLE.stem}.txt").read_text().split()
    assert main(["transcribe", str(SAMPLE), "--to", "out", "--format", "txt", "--url", service.url]) == 0
    assert main(["tasks", "--status", "completed", "--url", service.url]) == 0
    captured = capsys.readouterr()
    assert "1 skipped" in captured.err and "transcription" in captured.out
