"""Check whether the service can start on this machine.

Nothing is changed, loaded or downloaded; in a bucket, a small object is written and removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from urllib.parse import urlsplit

from peewee import DatabaseError, InterfaceError

from app.core.db import connection, identity
from app.core.errors import SettingsError
from app.core.settings import RAY, Settings
from app.core.storage.location import parse_location
from app.core.storage.opening import open_probe
from app.core.storage.space import MEBIBYTE, find_existing, has_space, read_free_bytes
from app.core.storage.storage import StorageUnavailableError
from workers.device import slots
from workers.device.protocol import Slot
from workers.models.cache import choose_compute_type
from workers.models.findings import FAIL, NOTE, OK, Finding
from workers.models.listing import format_size
from workers.models.model_checks import check_models
from workers.supervisor.engine_choice import check_cluster

MOST_SKEW_SECONDS = 60.0  # S3 refuses requests from 15 minutes on


def run_checks(settings: Settings) -> tuple[list[str], int]:
    """Run all checks; return report lines and exit status.

    The status is 1 if a check failed.
    """
    findings = list(_run_checks(settings))
    lines = [f"{finding.verdict:<5} {finding.subject:<9} {finding.text}" for finding in findings]
    failed = [finding.subject for finding in findings if finding.verdict == FAIL]
    verdict = f"The service cannot run here: {', '.join(failed)}." if failed else "The service can run here."
    return [*lines, "", verdict], 1 if failed else 0


def _run_checks(settings: Settings) -> Iterator[Finding]:
    yield from _check_devices(settings)
    if settings.workers.engine != RAY:
        yield from check_models(settings)
        yield _check_token(settings)
    database = _check_database(settings.db_url)
    yield database
    yield from _check_folders(settings)
    if settings.storage.url:
        yield _check_bucket(settings, has_database=database.verdict == OK)


def _check_devices(settings: Settings) -> Iterator[Finding]:
    if settings.workers.engine == RAY:
        yield from _check_cluster(settings)
        return
    try:
        found = slots.list_slots(settings.workers)
    except SettingsError as error:
        yield Finding(FAIL, "device", str(error))
        return
    for slot in found:
        yield _check_slot(slot, settings)
    if found[0].device == "cuda":  # CTranslate2 and PyTorch find the GPU independently of each other
        yield _check_torch()


def _check_cluster(settings: Settings) -> Iterator[Finding]:
    """Check the nodes of the Ray cluster: they need the models, not this machine."""
    try:
        devices, nodes = check_cluster(settings)
    except (SettingsError, ConnectionError) as error:
        yield Finding(FAIL, "ray", str(error))
        return
    yield Finding(OK if nodes else FAIL, "ray", devices if nodes else f"{devices}; no task can run without a device")
    for name, obstacle in nodes:
        yield Finding(FAIL if obstacle else OK, "node", f"{name}: {obstacle or 'can run tasks'}")


def _check_slot(slot: Slot, settings: Settings) -> Finding:
    import ctranslate2  # imported here: list and pull do not need it

    offered = ", ".join(sorted(ctranslate2.get_supported_compute_types(slot.device, slot.cuda_index or 0)))
    asked = settings.whisper.compute_type
    used = choose_compute_type(asked, slot.device)
    threads = f", {slot.threads} threads" if slot.threads else ""
    verdict = NOTE if asked not in ("auto", used) else OK
    text = f"{slot.device} {slot.number}{threads}: {offered}; compute_type {asked} runs as {used}"
    return Finding(verdict, "device", text)


def _check_torch() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(OK, "device", f"PyTorch {torch.__version__} uses {torch.cuda.get_device_name(0)}")
    return Finding(FAIL, "device", f"PyTorch {torch.__version__} cannot use the GPU; only whisper would run")


def _check_token(settings: Settings) -> Finding:
    if settings.hf_token:
        return Finding(OK, "HF_TOKEN", "set")
    return Finding(NOTE, "HF_TOKEN", "not set; gated models cannot be downloaded")


def _check_database(url: str) -> Finding:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # without user and password
    try:
        connection.probe(url, identity.read_from)
    except SettingsError as error:
        return Finding(FAIL, "database", str(error))
    except (DatabaseError, InterfaceError) as error:
        return Finding(FAIL, "database", f"{where} is not available: {' '.join(str(error).split())}")
    return Finding(OK, "database", where)


def _check_folders(settings: Settings) -> Iterator[Finding]:
    for subject, path in (("cache", settings.cache.path), ("models", settings.models.path)):
        place = find_existing(path)
        room = f"{path}, {format_size(read_free_bytes(path))} free"
        writable = os.access(place, os.W_OK | os.X_OK)
        if subject == "models":
            yield Finding(
                OK if writable else NOTE, subject, room if writable else f"{room}; not writable, so downloads fail"
            )
        elif not writable:
            yield Finding(FAIL, subject, f"{path} is not writable")
        elif not has_space(path, settings.limits.min_free_mb * MEBIBYTE):
            yield Finding(FAIL, subject, f"{room}; less than limits.min_free_mb, so every upload would be rejected")
        else:
            yield Finding(OK, subject, room)


def _check_bucket(settings: Settings, has_database: bool) -> Finding:
    location = parse_location(settings.storage.url, settings.storage.endpoint)
    try:
        probe = open_probe(settings)
        problem = probe.write_and_read()
        if problem is None and has_database:
            problem = probe.find_other_owner(connection.probe(settings.db_url, identity.read_from))
        if problem is not None:
            return Finding(FAIL, "storage", problem.reason)
        skew = probe.measure_skew()
    except SettingsError as error:
        return Finding(FAIL, "storage", str(error))
    except StorageUnavailableError as error:
        return Finding(FAIL, "storage", error.reason)
    if abs(skew) > MOST_SKEW_SECONDS:
        say = f"{location}: this machine's clock differs by {skew:+.0f} s from the store's; set it before they differ by 900"
        return Finding(NOTE, "storage", say)
    return Finding(OK, "storage", f"{location}, writable")
