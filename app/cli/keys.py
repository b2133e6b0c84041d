"""Manage API keys on the server machine, with the service's own program."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

UNAVAILABLE = (
    "speech keys works on the server only: run it in the checkout of the service, after make serve has installed its "
    "packages. The service's own command is: .venv/bin/python -m app.keys"
)


def manage_keys(arguments: Sequence[str]) -> int:
    """Run ``python -m app.keys``; return its exit code, or 1 if the service is not installed here."""
    checkout = Path.cwd()
    if not ((checkout / "app" / "keys.py").is_file() or (checkout / "app" / "keys" / "__main__.py").is_file()):
        print(UNAVAILABLE, file=sys.stderr)
        return 1
    own = checkout / ".venv" / "bin" / "python"
    if not own.is_file() and find_spec("peewee") is None:  # the light installation has no database
        print(UNAVAILABLE, file=sys.stderr)
        return 1
    python = str(own) if own.is_file() else sys.executable
    return subprocess.run([python, "-m", "app.keys", *arguments]).returncode
