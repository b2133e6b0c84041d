"""Parse the command line of ``speech`` and run one of its commands."""

from __future__ import annotations

import argparse
import math
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from .journal import Journal
from .keys import manage_keys
from .listing import cancel_tasks, list_models, list_tasks
from .outputs import UsageError, choose_extension, plan_jobs
from .progress import make_progress
from .run import transcribe_all, transcribe_new
from .server import PATIENCE_SECONDS, Server, ServerError, Stopped
from .transcription import Transcriber
from .watch import Watch

DEFAULT_URL = "http://127.0.0.1:8000"
FORMAT = re.compile(r"[a-z0-9]{1,16}(:[a-z]{1,16}=[a-z0-9]{1,16})*")
EXAMPLES = """examples:
  speech transcribe interview.mp3
  speech transcribe *.mp3 --format srt --format txt --speakers 2 --to out/
  speech transcribe talk.mp4 --language de --translate --set initial_prompt="Names: Grünwald"
  speech transcribe interview.mp3 --speakers auto --format textgrid --format docx
  speech transcribe --watch ~/Recordings --format vtt
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["keys"]:  # its options are those of the service's own program
        return manage_keys(given[1:])
    asked = build_parser().parse_args(given)
    with stop_by_sigterm():
        return run_command(asked)


def run_command(asked: argparse.Namespace) -> int:
    """Run the chosen command; return its exit code."""
    try:
        code: int = asked.run(asked)
    except UsageError as error:
        print(f"speech: {error}", file=sys.stderr)
        return 2
    except (ServerError, OSError) as error:
        print(f"speech: {error}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, Stopped):
        return 130
    return code


@contextmanager
def stop_by_sigterm() -> Iterator[None]:
    """Let SIGTERM do the same as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="speech", description="Transcribe recordings with a speech service.")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    _add_transcribe(commands)

    tasks = _add_command(commands, "tasks", lambda o: list_tasks(connect(o), o.status, o.limit, o.json), "list tasks")
    tasks.add_argument("--status", help="only tasks in this state, such as queued or failed")
    tasks.add_argument("--limit", type=int, default=20, help="number of tasks, at most 200 (default: %(default)s)")
    tasks.add_argument("--json", action="store_true", help="print JSON")

    cancel = _add_command(commands, "cancel", lambda o: cancel_tasks(connect(o), o.identifiers), "cancel tasks")
    cancel.add_argument("identifiers", nargs="+", metavar="ID", help="identifier of a task, see speech tasks")

    models = _add_command(commands, "models", lambda o: list_models(connect(o), o.json), "list the models")
    models.add_argument("--json", action="store_true", help="print JSON, which includes the languages")

    commands.add_parser("keys", help="create, list and revoke API keys (on the server only)")
    return parser


def _add_transcribe(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    text = (
        "Send recordings to the service and write the results. If the command is interrupted, run it again: it continues, "
        "and skips what is finished."
    )
    command = _add_command(commands, "transcribe", transcribe, "transcribe recordings", text)
    add = command.add_argument
    add("recordings", nargs="*", type=Path, metavar="FILE", help="audio or video")
    add("--watch", type=Path, metavar="FOLDER", help="transcribe the files of a folder, and new ones until Ctrl-C")
    add("--to", type=Path, metavar="FOLDER", help="folder for the results (default: beside each recording)")
    add(
        "--format",
        action="append",
        metavar="NAME",
        help="json, txt, srt, vtt, tsv, textgrid, eaf, rttm, ctm, audacity, qda, nvivo or docx, also with choices such as "
        "textgrid:words=false; may be given several times (default: srt)",
    )
    add("--language", metavar="CODE", help="language of the recordings, such as de (default: detected)")
    add("--model", metavar="NAME", help="Whisper model, see speech models (default: the service's)")
    add("--translate", action="store_true", help="translate to English")
    add("--speakers", metavar="N", help="name the speakers: their number, or auto")
    add(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other parameter of POST /transcription, such as beam_size=8",
    )
    add("--jobs", type=int, default=4, metavar="N", help="recordings in progress at once (default: %(default)s)")
    add("--again", action="store_true", help="transcribe even if the results are there")
    add(
        "--settle",
        type=float,
        default=5.0,
        metavar="SECONDS",
        help="with --watch: wait until a file has not changed for this long (default: %(default)s)",
    )


def _add_command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    text: str = "",
) -> argparse.ArgumentParser:
    command = commands.add_parser(
        name,
        help=summary,
        description=text or f"{summary[0].upper()}{summary[1:]}.",
        epilog=EXAMPLES if name == "transcribe" else None,
        formatter_class=argparse.RawDescriptionHelpFormatter if name == "transcribe" else argparse.HelpFormatter,
    )
    command.set_defaults(run=run)
    place = command.add_argument_group("service")
    place.add_argument("--url", help=f"its address (default: SPEECH_URL, or {DEFAULT_URL})")
    place.add_argument("--key", help="API key; other users can see it in the list of processes: better SPEECH_API_KEY")
    return command


def connect(asked: argparse.Namespace, patience: float = PATIENCE_SECONDS) -> Server:
    """Choose the service by options and environment."""
    url = asked.url or os.environ.get("SPEECH_URL") or DEFAULT_URL
    key = asked.key or os.environ.get("SPEECH_API_KEY") or None
    if "://" not in url:
        url = f"http://{url}"
    return Server(url, key, patience=patience)


def transcribe(asked: argparse.Namespace) -> int:
    formats = read_formats(asked.format)
    fields = read_fields(asked)
    if asked.jobs < 1:
        raise UsageError("--jobs must be at least 1.")
    if bool(asked.recordings) == bool(asked.watch):
        raise UsageError("Give recordings, or a folder with --watch.")
    jobs = [] if asked.watch else plan_jobs(require_files(asked.recordings), formats, asked.to)
    if asked.watch and not asked.watch.is_dir():
        raise UsageError(f"{asked.watch} is not a folder.")
    # The service may be started later than the command that watches.
    patience = math.inf if asked.watch else PATIENCE_SECONDS
    server, progress = connect(asked, patience), make_progress()
    transcriber = Transcriber(server, Journal(), progress, fields, asked.again)
    transcriber.check(formats, patience if asked.watch else 0.0)
    if asked.watch:
        progress.say(f"Watching {asked.watch} for recordings; press Ctrl-C to end.")
        watch = Watch(asked.watch, asked.settle, formats)
        return transcribe_new(transcriber, watch, formats, asked.to, asked.jobs)
    return transcribe_all(transcriber, jobs, asked.jobs)


def read_formats(given: Sequence[str] | None) -> list[str]:
    formats = [name.strip().lower() for text in given or ["srt"] for name in text.split(",")]
    for name in formats:
        if not FORMAT.fullmatch(name):  # it becomes part of a file name
            raise UsageError(f"{name!r} is not a format.")
    unique = list(dict.fromkeys(formats))
    if len({choose_extension(name) for name in unique}) < len(unique):
        raise UsageError("A format can be given only once, as its files have the same name; use two commands.")
    return unique


def read_fields(asked: argparse.Namespace) -> dict[str, str]:
    """Collect the parameters of the task, by the names of the service."""
    fields = {"lang": asked.language, "model_size": asked.model, "is_translate": "true" if asked.translate else None}
    if asked.speakers is not None:
        if not (asked.speakers == "auto" or re.fullmatch("[1-9][0-9]{0,3}", asked.speakers)):
            raise UsageError("--speakers takes a number, or auto.")
        fields |= {"is_diarize": "true", "num_speakers": None if asked.speakers == "auto" else asked.speakers}
    for text in asked.set:
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageError(f"--set takes NAME=VALUE, not {text!r}.")
        fields[name] = value
    return {name: value for name, value in fields.items() if value is not None}


def require_files(paths: Sequence[Path]) -> Sequence[Path]:
    """Return the paths; raise UsageError for one that is not a file."""
    for path in paths:
        if path.is_dir():
            raise UsageError(f"{path} is a folder; name its files, or use --watch {path}.")
        if not path.is_file():
            raise UsageError(f"{path}: there is no such file.")
    return paths
