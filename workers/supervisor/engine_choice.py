"""Create the engine that ``workers.engine`` names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from app.core.errors import SettingsError
from app.core.settings import RAY, Settings
from workers.device import slots
from workers.supervisor.engine import Engine
from workers.supervisor.local_engine import LocalEngine


def create_engine(settings: Settings, serve: Callable[..., None]) -> Engine:
    """Create the engine. ``serve`` is the main function of processes on this machine.

    Raises SettingsError if a device is configured that does not exist, or if a package is missing.
    """
    if settings.workers.engine == RAY:
        with _name_missing_package():
            from workers.supervisor.ray_engine import RayEngine  # takes a second, and needs the optional package
        return RayEngine(settings)
    found = slots.list_slots(settings.workers)
    for slot in found:  # raises SettingsError now, instead of failing each task
        slots.choose_separation_device(settings.bgm_separation, slot)
    return LocalEngine(settings, found, serve)


def connect_to_cluster(settings: Settings) -> None:
    """Wait until the Ray cluster answers. Raises SettingsError if a package is missing, or has another version."""
    with _name_missing_package():
        from workers.supervisor import ray_cluster
    ray_cluster.wait_for_cluster(settings.ray.address)


def check_cluster(settings: Settings) -> tuple[str, list[tuple[str, str]]]:
    """Connect to the Ray cluster. Return its devices in words, and the answers of ``ray_cluster.check_nodes``.

    Raises SettingsError if a package is missing or has another version, and ConnectionError if no node answers.
    """
    with _name_missing_package():
        from workers.supervisor import ray_cluster
    ray_cluster.connect(settings.ray.address)
    found = ray_cluster.count_devices()
    devices = f"{found.gpus} GPUs and {found.cpu_slots} CPU slots on {found.nodes} nodes"
    return devices, ray_cluster.check_nodes(settings)


@contextlib.contextmanager
def _name_missing_package() -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != RAY:
            raise
        say = "workers.engine is ray, but the package ray is not installed: pip install -r requirements-cluster.txt"
        raise SettingsError(say) from error
