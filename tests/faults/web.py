"""The real web side, with faults just before and just after a task's row is committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from app.core import settings
from app.core.db import tasks
from app.factory import create_app
from tests.faults import injection

app = create_app(settings.load())
_submit = tasks.submit


def _submitted(*args: Any, **kwargs: Any) -> None:
    injection.run_faults("before commit", None)
    _submit(*args, **kwargs)
    injection.run_faults("after commit", None)


assert Path(os.environ[injection.FOLDER]).is_dir()
tasks.submit = _submitted
