"""Start the service, transcribe a recording and print the result.

Without FILE, it is a conversation from models/mini/, with the small models there. FILE=my.mp3 names a recording of your own,
which needs real models: Whisper base is downloaded once.
"""

from __future__ import annotations

import fcntl
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any

import requests

ROOT = Path(__file__).resolve().parent
SAMPLE = Path("models/mini/samples/conversation.flac")
CONFIG = "models/mini/config.yaml"
OWN_CONFIG, OWN_MODEL = "config.yaml", "base"  # for FILE
START_SECONDS = 180.0
TASK_SECONDS = 300.0
POLL_SECONDS = 0.1
WORDS_SHOWN = 8


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that the service is stopped, too
    own = find_recording(os.environ.get("FILE"))
    port, claim = free_port(os.environ.get("PORT"))
    home = ROOT / "cache" / f"demo-{port}"
    environment = {
        **({"CONFIG": OWN_CONFIG, "MODEL": OWN_MODEL} if own else {"CONFIG": CONFIG}),
        "CACHE_DIR": str(home),
        "DB_URL": f"sqlite:///{home / 'records.db'}",
        "PORT": port,
        **{name: os.environ[name] for name in ("CONFIG", "CACHE_DIR", "DB_URL", "MODEL") if os.environ.get(name)},
    }
    if own:
        pull(environment)
    url = f"http://127.0.0.1:{environment['PORT']}"
    print(f"Starting the service on {url} with {environment['CONFIG']} ...", flush=True)
    log = Path(environment["CACHE_DIR"]) / "demo.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        service = subprocess.Popen(
            ["honcho", "start", "-p", environment["PORT"]],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches only this script, which then stops the service
        )
    try:
        wait_until_ready(url, service, log)
        task = follow(url, send(url, own or ROOT / SAMPLE), None if own else TASK_SECONDS)
        show(task)
        if own:
            say_how_to_serve(environment["CONFIG"], environment["MODEL"], own)
        else:
            show_reference()
            say_where_next(environment["CONFIG"])
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
        claim.close()


def find_recording(asked: str | None) -> Path | None:
    """The recording that FILE names, if any."""
    if not asked:
        return None
    path = Path(asked).expanduser().absolute()
    if not path.is_file():
        sys.exit(f"FILE={asked}: there is no such file")
    return path


def pull(environment: dict[str, str]) -> None:
    """Download the default model unless it is on disk; exit if that fails."""
    command = [sys.executable, "-m", "workers.models", "pull", "--missing", environment["MODEL"]]
    if subprocess.run(command, cwd=ROOT, env=os.environ | environment).returncode:
        sys.exit(f"The model {environment['MODEL']} could not be downloaded.")


def free_port(asked: str | None) -> tuple[str, IO[bytes]]:
    """Reserve the requested port.

    Without a request, it is 8000, or any free port when 8000 is in use.
    The returned lock file keeps other demos off the port until it is closed.
    """
    for port in (asked or "8000", "0"):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(port)))
                found = str(probe.getsockname()[1])
                claim = Path(tempfile.gettempdir(), f"speech-demo-{os.getuid()}-{found}.lock").open("wb")
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return found, claim
            except OSError:
                if asked:
                    break
    sys.exit(f"Port {asked or 8000} is in use; choose another: make demo PORT=...")


def wait_until_ready(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).ok:
                print("Ready.\n", flush=True)
                return
        except (requests.ConnectionError, requests.Timeout):  # the latter while a busy machine still starts it
            pass
        time.sleep(0.2)
    sys.exit(f"The service did not start. End of its log:\n{''.join(log.read_text().splitlines(True)[-15:])}")


def send(url: str, recording: Path) -> str:
    shown = recording.relative_to(ROOT) if recording.is_relative_to(ROOT) else recording
    print(f"$ curl -F is_diarize=true -F file=@{shlex.quote(str(shown))} {url}/transcription", flush=True)
    with recording.open("rb") as content:
        form = {"data": {"is_diarize": "true"}, "files": {"file": (recording.name, content)}}
        answer = requests.post(f"{url}/transcription", **form, timeout=600)
    print(answer.text)
    if not answer.ok:
        sys.exit(f"The service refused the recording (status {answer.status_code}).")
    identifier: str = answer.json()["identifier"]
    return identifier


def follow(url: str, identifier: str, seconds: float | None) -> dict[str, Any]:
    """Wait until the task ends, at most ``seconds``; how long a recording of any length takes, only its progress says."""
    print(f"$ curl {url}/task/{identifier}      # repeated", flush=True)
    started, said = time.monotonic(), ""
    while seconds is None or time.monotonic() - started < seconds:
        task: dict[str, Any] = requests.get(f"{url}/task/{identifier}", timeout=30).json()
        line = f"  {task['status']:<12} {task['stage'] or '':<12} {task['progress']:4.0%}"
        if line != said:
            print(line, flush=True)
            said = line
        if task["status"] == "COMPLETED":
            return task
        if task["status"] in ("FAILED", "CANCELLED"):
            sys.exit(f"The task ended as {task['status']}: {task['error']}")
        time.sleep(POLL_SECONDS)
    sys.exit(f"The task did not finish within {seconds:.0f} s.")


def show(task: dict[str, Any]) -> None:
    segments = task["result"]
    print(f"\nTranscript ({task['audio_duration']:.1f} s of {task['language']}, in {task['duration']:.1f} s):")
    for segment in segments:
        speaker = segment["speaker"] or ""
        print(f"  {segment['start']:7.2f} – {segment['end']:7.2f}  {speaker:<10}  {segment['text']}")
    if not segments:
        print("  (no speech)")
    for warning in task["warnings"]:
        print(f"  warning: {warning}")
    words = [word for segment in segments for word in segment["words"]]
    if words:
        print("\nFirst words:")
    for word in words[:WORDS_SHOWN]:
        print(f"  {word['start']:7.2f} – {word['end']:7.2f}  {word['word']:<12} {word['probability']:.2f}")


def show_reference() -> None:
    print("\nReference transcript:")
    for turn in json.loads((ROOT / SAMPLE).with_suffix(".json").read_text())["turns"]:
        print(f"  {turn['start']:7.2f} – {turn['end']:7.2f}  {turn['speaker']:<10}  {turn['text']}")


def say_where_next(config: str) -> None:
    print(
        f"""
Where to go next:
  CONFIG={config} make serve        # keep the service running on the mini models (about 110 words of English and German)
  make demo FILE=your-recording.mp3       # transcribe a recording of your own with Whisper base, downloaded once (150 MB)
  make serve                              # use the real models; the first start downloads large-v3
  http://127.0.0.1:8000                   # a page to drop recordings on, in a browser
  http://127.0.0.1:8000/docs              # API documentation, to try in the browser
  curl -F file=@your-recording.mp3 http://127.0.0.1:8000/transcription
  curl http://127.0.0.1:8000/task/IDENTIFIER"""
    )


def say_how_to_serve(config: str, model: str, recording: Path) -> None:
    serve = f"{f'CONFIG={config} ' if config != OWN_CONFIG else ''}make serve MODEL={model}"
    print(
        f"""
Where to go next:
  {serve:<40}# keep the service running with this model
  make serve                              # use the most accurate model; the first start downloads large-v3
  http://127.0.0.1:8000                   # a page to drop recordings on, in a browser
  http://127.0.0.1:8000/docs              # API documentation, to try in the browser
  curl -F file=@{shlex.quote(str(recording))} http://127.0.0.1:8000/transcription
  curl http://127.0.0.1:8000/task/IDENTIFIER
  curl 'http://127.0.0.1:8000/task/IDENTIFIER/result?format=srt'"""
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
