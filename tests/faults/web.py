"""The real web side, with faults just before and just after a task's row is committed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from app.core import settings
from app.factory import create_app
from app.submission import accept
from tests.faults import injection

app = create_app(settings.load())
_commit = accept._commit


def _committed(*args: Any, **kwargs: Any) -> accept.Accepted:
    injection.run_faults("before commit", None)
    accepted = _commit(*args, **kwargs)
    injection.run_faults("after commit", None)
    return accepted


assert Path(os.environ[injection.FOLDER]).is_dir()
accept._commit = _committed
