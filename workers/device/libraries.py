"""Import large libraries when they are needed, in one thread at a time.

Two threads that import modules of one circle see modules that are not complete: Python prefers that to a deadlock.
"""

from __future__ import annotations

import importlib
import threading
from types import ModuleType

SENTENCE_LIBRARY = "nltk.tokenize.punkt"
ALIGNMENT_LIBRARY = "whisperx.alignment"
LOOK_SECONDS = 0.05

_importing = threading.RLock()
_imported: dict[str, ModuleType] = {}  # completely


def import_library(name: str) -> ModuleType:
    """Import a module, with all that it imports. The first time, this may take seconds."""
    while name not in _imported:
        # not longer: once another thread has imported this module, it may go on to import the next one
        if _importing.acquire(timeout=LOOK_SECONDS):
            try:
                _imported[name] = importlib.import_module(name)
            finally:
                _importing.release()
    return _imported[name]
