"""List tasks and models, cancel tasks."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from .progress import make_printable
from .server import Server, ServerError, read_json

COLUMNS = ("identifier", "status", "progress", "task_type", "created_at", "stage")


def list_tasks(server: Server, status: str | None, limit: int, as_json: bool) -> int:
    query = {"limit": limit} | ({"status": status.upper()} if status else {})
    tasks = read_json(server.get("/task", query))["tasks"]
    if as_json:
        print(json.dumps(tasks, indent=2))
        return 0
    rows = [[_show(task, name) for name in COLUMNS] for task in tasks]
    print_table([name.replace("_", " ") for name in COLUMNS], rows)
    return 0


def cancel_tasks(server: Server, identifiers: Sequence[str]) -> int:
    """Cancel tasks; return 1 if one of them could not be cancelled."""
    failed = 0
    for identifier in identifiers:
        try:
            server.post(f"/task/{identifier}/cancel")
            print(f"{identifier}: cancelled")
        except ServerError as error:
            failed = 1
            print(f"{identifier}: {error}", file=sys.stderr)
    return failed


def list_models(server: Server, as_json: bool) -> int:
    known = read_json(server.get("/models"))
    if as_json:
        print(json.dumps(known, indent=2))
        return 0
    rows = []
    for title, name in (("transcription", "model_size"), ("separation", "uvr_model_size")):
        for model in known[name]["choices"]:
            default = "default" if model["name"] == known[name]["default"] else ""
            rows.append([title, model["name"], "on disk" if model["on_disk"] else "to be downloaded", default])
    speakers = known["diarization"]
    rows.append(["speakers", speakers["name"], "on disk" if speakers["on_disk"] else "to be downloaded", "default"])
    print_table(["task", "model", "place", ""], rows)
    return 0


def print_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    lines = [titles, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles))]
    for line in lines:
        print(make_printable("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()))


def _show(task: dict[str, Any], name: str) -> str:
    value = task.get(name)
    if name == "progress":
        return f"{100 * float(value or 0):.0f} %"
    return "" if value is None else str(value)
