"""Import large libraries when they are needed, in one thread at a time.

Two threads that import modules of one circle see modules that are not complete: Python prefers that to a deadlock.
"""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

LOOK_SECONDS = 0.05

_importing = threading.RLock()
_imported: dict[str, ModuleType] = {}  # completely


def import_library(name: str, unneeded: Collection[str] = ()) -> ModuleType:
    """Import a module, with all that it imports. The first time, this may take seconds.

    Packages in ``unneeded`` appear not to be installed meanwhile: some libraries import them only for functions that we do
    not call.
    """
    while name not in _imported:
        # not longer: once another thread has imported this module, it may go on to import the next one
        if _importing.acquire(timeout=LOOK_SECONDS):
            try:
                with _hide(unneeded):
                    _imported[name] = importlib.import_module(name)
            finally:
                _importing.release()
    return _imported[name]


@contextmanager
def _hide(packages: Collection[str]) -> Iterator[None]:
    hidden = [package for package in packages if package not in sys.modules]
    modules: dict[str, Any] = dict.fromkeys(hidden)  # None: Python then says that there is no such module
    sys.modules.update(modules)
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]
