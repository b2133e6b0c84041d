"""speech tasks, cancel, models and keys."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shlex
from pathlib import Path

import pytest
from flask import Flask

from app.cli.main import build_parser, main
from app.cli.progress import Bars, Lines, make_printable
from tests.app.cli.conftest import Served
from tests.app.posting import submitted
from tests.app.rows import row
from tests.docs.markdown import blocks, pages
from tests.service import ROOT

Capture = pytest.CaptureFixture[str]


def test_tasks_are_listed(served: Served, web: Flask, capsys: Capture) -> None:
    first, second = submitted(web), submitted(web)
    assert main(["cancel", first]) == 0
    capsys.readouterr()
    assert main(["tasks"]) == 0
    titles, *lines = capsys.readouterr().out.splitlines()
    assert titles.split() == ["identifier", "status", "progress", "task", "type", "created", "at", "stage"]
    assert [line.split()[:4] for line in lines] == [[second, "QUEUED", "0", "%"], [first, "CANCELLED", "0", "%"]]
    assert main(["tasks", "--status", "cancelled", "--json", "--limit", "1"]) == 0
    assert [task["identifier"] for task in json.loads(capsys.readouterr().out)] == [first]
    assert main(["tasks", "--limit", "0"]) == 1
    assert "limit: " in capsys.readouterr().err


def test_tasks_are_cancelled_and_others_named(served: Served, web: Flask, capsys: Capture) -> None:
    task = submitted(web)
    assert main(["cancel", task, "nothing", task]) == 1
    said = capsys.readouterr()
    assert said.out == f"{task}: cancelled\n" and row(task).status == "CANCELLED"
    assert said.err.splitlines() == [
        "nothing: There is no task with this identifier.",
        f"{task}: The task has already ended: CANCELLED.",
    ]


def test_models_are_listed(served: Served, capsys: Capture) -> None:
    assert main(["models"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["transcription", "mini", "on", "disk", "default"] in lines
    assert main(["models", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["model_size"]["default"] == "mini"


def test_keys_are_managed_on_the_server_only(home: Path, capsys: Capture) -> None:
    assert main(["keys", "create", "laptop"]) == 1
    assert "python -m app.keys" in capsys.readouterr().err


def test_keys_are_left_to_the_service(home: Path, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    (home / "app").mkdir()
    (home / "app" / "__init__.py").touch()
    (home / "app" / "keys.py").write_text("import sys; print(sys.argv[1:]); sys.exit(3)")
    assert main(["keys", "create", "laptop", "--admin", "--help"]) == 3
    assert capfd.readouterr().out == "['create', 'laptop', '--admin', '--help']\n"


@pytest.mark.parametrize("command", [["--help"], ["transcribe", "--help"], ["tasks", "--help"], ["models", "--help"]])
def test_help_is_printed(command: list[str], capsys: Capture) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(command)
    assert "usage: speech" in capsys.readouterr().out


def test_lines_are_printed_once_for_each_stage(capsys: Capture) -> None:
    lines = Lines()
    for stage, fraction in (("uploading", 0.1), ("uploading", 0.9), ("queued", 0.0)):
        lines.update("a", stage, fraction)
    lines.end("a", "done")
    assert capsys.readouterr().err == "a: uploading\na: queued\na: done\n"


def test_bars_show_name_stage_and_percentage(capsys: Capture) -> None:
    bars = Bars()
    bars.update("a.wav", "transcribe", 0.4)
    bars.end("a.wav", "done")
    bars.close()
    said = capsys.readouterr().err
    assert "a.wav" in said and " 40 %" in said.replace("40%", "40 %") and "transcribe" in said and "a.wav: done" in said


def test_bars_show_the_time_to_the_end_if_it_is_known(capsys: Capture) -> None:
    bars = Bars()
    bars.update("a.wav", "transcribe", 0.4, 95.4)
    bars.close()
    assert "transcribe, 01:35 left" in capsys.readouterr().err


def test_names_cannot_control_the_terminal() -> None:
    assert make_printable("a\x1b[2Jb\nc\udcff") == "a�[2Jb�c�"


DOCUMENTED = [
    shlex.split(line, comments=True)[1:]
    for page in pages()
    for _, text in blocks(page)
    for line in text.splitlines()
    if line.startswith("speech ")
]


@pytest.mark.parametrize("command", DOCUMENTED, ids=" ".join)
def test_documented_command_is_understood(command: list[str]) -> None:
    if command[0] != "keys":
        assert build_parser().parse_args(command)


def test_every_option_is_documented() -> None:
    assert len(DOCUMENTED) > 5
    text = (ROOT / "docs/command-line.md").read_text()
    options = set(re.findall(r"--[a-z]+", read_help("transcribe")))
    assert {option for option in options if f"`{option}" not in text} == {"--help"}


def read_help(command: str) -> str:
    output = io.StringIO()
    with contextlib.redirect_stdout(output), pytest.raises(SystemExit):
        build_parser().parse_args([command, "--help"])
    return output.getvalue()
