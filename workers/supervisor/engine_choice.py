"""Create the engine that ``workers.engine`` names."""

from __future__ import annotations

from collections.abc import Callable

from app.core.settings import Settings
from workers.device import slots
from workers.supervisor.engine import Engine
from workers.supervisor.local_engine import LocalEngine


def create_engine(settings: Settings, serve: Callable[..., None]) -> Engine:
    """Create the engine. ``serve`` is the main function of its processes.

    Raises SettingsError if a device is configured that does not exist.
    """
    found = slots.list_slots(settings.workers)
    for slot in found:  # raises SettingsError now, instead of failing each task
        slots.choose_separation_device(settings.bgm_separation, slot)
    return LocalEngine(settings, found, serve)
