"""Start the service on the mini models, send a conversation through it as any client would, print who says what, and when."""

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
START_SECONDS = 180.0
TASK_SECONDS = 300.0
POLL_SECONDS = 0.1
WORDS_SHOWN = 8


def main() -> None:
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # end the service, however this script is ended
    port, claim = free_port(os.environ.get("PORT"))
    home = ROOT / "cache" / f"demo-{port}"
    environment = {
        "CONFIG": CONFIG,
        "CACHE_DIR": str(home),
        "DB_URL": f"sqlite:///{home / 'records.db'}",
        "PORT": port,
        **{name: os.environ[name] for name in ("CONFIG", "CACHE_DIR", "DB_URL") if os.environ.get(name)},
    }
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
            start_new_session=True,  # Ctrl-C reaches this script, which then ends the service properly
        )
    try:
        wait_until_ready(url, service, log)
        show(follow(url, send(url)))
        say_where_next(environment["CONFIG"])
    finally:
        service.send_signal(signal.SIGTERM)
        service.wait()
        claim.close()


def free_port(asked: str | None) -> tuple[str, IO[bytes]]:
    """The port that was asked for; else 8000, or any free one where something listens there or another demo is about to.

    The file that comes with it holds the claim on it, until it is closed.
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
    sys.exit(f"Port {asked or 8000} is taken; choose another: make demo PORT=...")


def wait_until_ready(url: str, service: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        try:
            if requests.get(f"{url}/health/ready", timeout=5).ok:
                print("It is ready.\n", flush=True)
                return
        except (requests.ConnectionError, requests.Timeout):
            pass
        time.sleep(0.2)
    sys.exit(f"The service did not start; its log ends so:\n{''.join(log.read_text().splitlines(True)[-15:])}")


def send(url: str) -> str:
    print(f"$ curl -F is_diarize=true -F file=@{shlex.quote(str(SAMPLE))} {url}/transcription")
    with (ROOT / SAMPLE).open("rb") as recording:
        form = {"data": {"is_diarize": "true"}, "files": {"file": (SAMPLE.name, recording)}}
        answer = requests.post(f"{url}/transcription", **form, timeout=60)
    print(answer.text)
    answer.raise_for_status()
    identifier: str = answer.json()["identifier"]
    return identifier


def follow(url: str, identifier: str) -> dict[str, Any]:
    print(f"$ curl {url}/task/{identifier}      # again and again", flush=True)
    deadline, said = time.monotonic() + TASK_SECONDS, ""
    while time.monotonic() < deadline:
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
    sys.exit("The task did not end in time.")


def show(task: dict[str, Any]) -> None:
    segments = task["result"]
    print(f"\nTranscript ({task['audio_duration']:.1f} s of {task['language']}, in {task['duration']:.1f} s):")
    for segment in segments:
        speaker = segment["speaker"] or ""
        print(f"  {segment['start']:7.2f} – {segment['end']:7.2f}  {speaker:<10}  {segment['text']}")
    for warning in task["warnings"]:
        print(f"  warning: {warning}")
    words = [word for segment in segments for word in segment["words"]]
    print("\nFirst words:")
    for word in words[:WORDS_SHOWN]:
        print(f"  {word['start']:7.2f} – {word['end']:7.2f}  {word['word']:<12} {word['probability']:.2f}")
    print("\nWhat was said:")
    for turn in json.loads((ROOT / SAMPLE).with_suffix(".json").read_text())["turns"]:
        print(f"  {turn['start']:7.2f} – {turn['end']:7.2f}  {turn['speaker']:<10}  {turn['text']}")


def say_where_next(config: str) -> None:
    print(
        f"""
Where to go next:
  CONFIG={config} make serve        # keep the service running on these mini models (about 110 words of English and German)
  make serve                              # the real models; large-v3 is downloaded with the first start
  http://127.0.0.1:8000/docs              # every path and parameter, to try in the browser
  curl -F file=@your-recording.mp3 http://127.0.0.1:8000/transcription
  curl http://127.0.0.1:8000/task/IDENTIFIER"""
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
