"""Say what a start on this machine would be able to do; nothing is changed, loaded or downloaded for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from peewee import DatabaseError, InterfaceError

from app.core.catalog.catalog import DIARIZE, SEPARATE, WHISPER, Model, bundle_file, located, models, pages
from app.core.db import connection
from app.core.errors import SettingsError
from app.core.settings import Settings
from app.core.storage.space import MEBIBYTE, find_existing, has_space, read_free_bytes
from workers.device import slots
from workers.device.protocol import Slot
from workers.models import hub
from workers.models.cache import usable_compute_type
from workers.models.listing import in_words, size

OK, NOTE, FAIL = "ok", "note", "FAIL"
HUB_SECONDS = 5.0


@dataclass(frozen=True)
class Finding:
    """One fact about this machine; a FAIL stands in the way of a start that serves."""

    verdict: str
    subject: str
    text: str


def report(settings: Settings) -> tuple[list[str], int]:
    """The lines to print, and the exit status: 1 when a start could not serve."""
    findings = list(_findings(settings))
    lines = [f"{finding.verdict:<5} {finding.subject:<9} {finding.text}" for finding in findings]
    failed = [finding.subject for finding in findings if finding.verdict == FAIL]
    verdict = f"A start here could not serve: {', '.join(failed)}." if failed else "A start here would serve."
    return [*lines, "", verdict], 1 if failed else 0


def _findings(settings: Settings) -> Iterator[Finding]:
    yield from _devices(settings)
    yield from _models(settings)
    yield _token(settings)
    yield _ledger(settings.db_url)
    yield from _cache(settings)


def _devices(settings: Settings) -> Iterator[Finding]:
    try:
        found = slots.list_slots(settings.workers)
    except SettingsError as error:
        yield Finding(FAIL, "device", str(error))
        return
    for slot in found:
        yield _slot(slot, settings)
    if found[0].device == "cuda":
        yield _torch()


def _slot(slot: Slot, settings: Settings) -> Finding:
    import ctranslate2

    offered = ", ".join(sorted(ctranslate2.get_supported_compute_types(slot.device, slot.cuda_index or 0)))
    asked = settings.whisper.compute_type
    used = usable_compute_type(asked, slot.device)
    threads = f", {slot.threads} threads" if slot.threads else ""
    verdict = NOTE if asked not in ("auto", used) else OK
    text = f"{slot.device} {slot.number}{threads}: {offered}; compute_type {asked} runs as {used}"
    return Finding(verdict, "device", text)


def _torch() -> Finding:
    import torch

    if torch.cuda.is_available():
        return Finding(OK, "device", f"PyTorch {torch.__version__} uses {torch.cuda.get_device_name(0)}")
    return Finding(FAIL, "device", f"PyTorch {torch.__version__} cannot use the GPU, so nothing but whisper would run")


def _models(settings: Settings) -> Iterator[Finding]:
    wanted = [model for model in models(settings) if _configured(model, settings)]
    missing = [model for model in wanted if located(model, settings) is None]
    obstacle = _hub() if missing else None
    for model in wanted:
        yield _model(model, obstacle, settings)


def _configured(model: Model, settings: Settings) -> bool:
    """Whether config.yaml names it; whisperx's own aligners come when a recording first needs one."""
    return model.kind in (WHISPER, SEPARATE, DIARIZE) or model.name.partition(":")[2] in settings.align.models


def _model(model: Model, obstacle: str | None, settings: Settings) -> Finding:
    found = located(model, settings)
    if found is not None and bundle_file(model) is not None and not hub.is_intact(found):
        return Finding(FAIL, "model", f"{model.name}: {found} is damaged; remove it, then pull {model.name} again")
    if found is not None:
        return Finding(OK, "model", f"{model.name}: {in_words(size(found))} in {found}")
    if model.kind == DIARIZE:
        return _gated(model, obstacle, settings)
    if obstacle is None:
        return Finding(NOTE, "model", f"{model.name}: not on disk; it would be downloaded when first needed")
    default = model.name == settings.whisper.model_size
    return Finding(FAIL if default else NOTE, "model", f"{model.name}: not on disk, and {obstacle}")


def _gated(model: Model, obstacle: str | None, settings: Settings) -> Finding:
    """What is missing until speakers can be named; transcripts come without."""
    accept = f"accept the conditions on {' and '.join(pages(model))}"
    needs = f"the account of HF_TOKEN must {accept}" if settings.hf_token else f"{accept} and set HF_TOKEN"
    reached = f", and {obstacle}" if obstacle else ""
    return Finding(NOTE, "model", f"{model.name}: not on disk{reached}; to have speakers named, {needs}")


def _hub() -> str | None:
    """What stands between this machine and the hub; None when it answers."""
    import requests
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE forbids downloads"
    try:
        requests.head(hub.endpoint(), timeout=HUB_SECONDS)
    except requests.RequestException:
        return f"{hub.endpoint()} does not answer"
    return None


def _token(settings: Settings) -> Finding:
    if settings.hf_token:
        return Finding(OK, "HF_TOKEN", "set")
    return Finding(NOTE, "HF_TOKEN", "not set; models that ask for consent cannot be downloaded")


def _ledger(url: str) -> Finding:
    parts = urlsplit(url)
    where = f"{parts.scheme}://{parts.hostname or ''}{parts.path}"  # no user, no password
    try:
        connection.probe(url)
    except SettingsError as error:
        return Finding(FAIL, "ledger", str(error))
    except (DatabaseError, InterfaceError) as error:
        return Finding(FAIL, "ledger", f"{where} does not answer: {' '.join(str(error).split())}")
    return Finding(OK, "ledger", where)


def _cache(settings: Settings) -> Iterator[Finding]:
    for subject, path in (("cache", settings.cache.path), ("models", settings.models.path)):
        place = find_existing(path)
        room = f"{path}, {in_words(read_free_bytes(path))} free"
        writable = os.access(place, os.W_OK | os.X_OK)
        if subject == "models":
            yield Finding(
                OK if writable else NOTE, subject, room if writable else f"{room}; not writable, no downloads"
            )
        elif not writable:
            yield Finding(FAIL, subject, f"{path} cannot be written")
        elif not has_space(path, settings.limits.min_free_mb * MEBIBYTE):
            yield Finding(FAIL, subject, f"{room}; below limits.min_free_mb every recording is refused")
        else:
            yield Finding(OK, subject, room)
