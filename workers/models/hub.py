"""Download models from their hubs into models/.

Interrupted downloads are resumed; complete ones are verified.
"""

from __future__ import annotations

import logging
import os
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.core.catalog import hub_names
from app.core.catalog.catalog import (
    ALIGN,
    DIARIZE,
    NETWORK,
    SEPARATE,
    WHISPER,
    Model,
    bundle_file,
    hub_repository,
    list_parts,
)
from app.core.settings import Settings
from app.core.storage.durable import sync_file, sync_folder
from workers.models.errors import DownloadError
from workers.models.lock import lock_download

log = logging.getLogger(__name__)

TRIES = 5
HUB_SECONDS = 15.0  # for the hub's first answer; a firewall that drops packets would delay the failure by minutes
# the files that faster-whisper reads; repositories also contain the same weights for other frameworks
WHISPER_FILES = (
    "config.json",
    "preprocessor_config.json",
    "model.bin",
    "tokenizer.json",
    "vocabulary.json",
    "vocabulary.txt",
)
WEIGHTS = (("model", ".safetensors"), ("pytorch_model", ".bin"))
PICKLE = b"\x80\x02"  # the first bytes of a pickle of protocol 2
# the end record of a zip archive: its signature, and the size of the rest if there is no comment
END_RECORD, END_RECORD_REST = b"PK\x05\x06", 18


def prepare_environment() -> None:
    """Set the environment variables of huggingface_hub.

    It reads them at import.
    """
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ.setdefault("HF_HUB_DISABLE_XET", "1")  # Xet restarts an interrupted file; plain HTTP resumes it


def fetch(model: Model, settings: Settings) -> Path:
    """Download ``model`` and return its folder or file.

    Files on disk are only verified. Raises DownloadError, with advice.
    """
    bundle, repo = bundle_file(model), hub_repository(model)
    if bundle is not None:
        return _retry_and_explain(model, settings, lambda: _fetch_bundle(bundle, settings))
    if repo is None:
        raise DownloadError(f"{model.place!r} is neither a folder in {settings.models.path} nor a repository on a hub")
    for part in list_parts(model):  # a pipeline names further models by repository
        fetch(part, settings)
    return _retry_and_explain(model, settings, lambda: _fetch_repository(repo, model.kind, settings))


def _fetch_repository(repo: str, kind: str, settings: Settings) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    token = settings.hf_token or None
    listed = [str(file.rfilename) for file in HfApi(token=token).model_info(repo, timeout=HUB_SECONDS).siblings or []]
    wanted = WANTED[kind](listed)
    folder = Path(snapshot_download(repo, cache_dir=settings.models.path, token=token, allow_patterns=wanted))
    for name in wanted:
        _check_blob(folder / name)
    return folder


def _fetch_bundle(name: str, settings: Settings) -> Path:
    target = settings.models.path / name
    if target.exists():
        if not is_intact(target):
            raise _remove_damaged(target)
        return target
    with lock_download(settings.models.path, name):
        if not target.exists():  # another process may have fetched it while this one waited
            _download_bundle(target)
    return target


def _download_bundle(target: Path) -> None:
    part = target.with_name(f"{target.name}.part")
    size = _fetch_file(hub_names.BUNDLES_URL + target.name, part)
    if size not in (None, part.stat().st_size) or not is_intact(part):
        raise _remove_damaged(part)
    with part.open("rb") as file:
        sync_file(file)
    part.rename(target)  # only when verified: a loader must never see a partial file
    sync_folder(target.parent)


def _fetch_file(url: str, part: Path) -> int | None:
    """Download ``url`` to ``part``, resuming where it ends.

    Returns the size announced by the server, or None.
    """
    import requests
    from huggingface_hub.file_download import http_get

    head = requests.head(url, headers={"Accept-Encoding": "identity"}, allow_redirects=True, timeout=30)
    length = head.headers.get("Content-Length") if head.ok else None
    size = int(length) if length else None
    with part.open("ab") as file:
        if size is not None and file.tell() > size:
            log.warning("%s is longer than the file on the server; starting again", part)
            file.seek(0)
            file.truncate()
        http_get(url, file, resume_size=file.tell(), expected_size=size, displayed_filename=part.stem)
    return size


def is_intact(file: Path) -> bool:
    """Whether a torchaudio bundle is complete and undamaged.

    torchaudio publishes no checksums, but PyTorch's archives contain one for each tensor. Those ignore bytes before and
    after the archive, so both ends are checked as well. Bundles from before 2020 are pickles, of which only the beginning
    can be checked.
    """
    with file.open("rb") as content:
        start = content.read(len(PICKLE))
    if start == PICKLE:
        return True
    try:
        with zipfile.ZipFile(file) as archive:
            return _spans_file(archive, file) and archive.testzip() is None
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return False


def _spans_file(archive: zipfile.ZipFile, file: Path) -> bool:
    """Whether the archive starts and ends where the file does.

    PyTorch writes archives without a comment.
    """
    if min((member.header_offset for member in archive.infolist()), default=-1) != 0:
        return False
    with file.open("rb") as content:
        content.seek(-len(END_RECORD) - END_RECORD_REST, os.SEEK_END)
        return content.read(len(END_RECORD)) == END_RECORD


def _select_whisper(listed: list[str]) -> list[str]:
    return [name for name in listed if name in WHISPER_FILES]


def _select_aligner(listed: list[str]) -> list[str]:
    """Select the configuration and one set of weights.

    Only from the top folder: others contain checkpoints from training.
    """
    top = [name for name in listed if "/" not in name]
    sets = [[name for name in top if name.startswith(start) and name.endswith(end)] for start, end in WEIGHTS]
    return [name for name in top if name.endswith((".json", ".txt"))] + next(filter(None, sets), [])


def _select_separator(listed: list[str]) -> list[str]:
    return [name for name in listed if "/" not in name and name.endswith((".yaml", ".safetensors"))]


def _select_pipeline(listed: list[str]) -> list[str]:
    return [name for name in listed if name.endswith((".yaml", ".bin", ".npz", ".safetensors"))]


WANTED: dict[str, Callable[[list[str]], list[str]]] = {
    WHISPER: _select_whisper,
    ALIGN: _select_aligner,
    SEPARATE: _select_separator,
    DIARIZE: _select_pipeline,
    NETWORK: _select_pipeline,
}


def _check_blob(file: Path) -> None:
    """Compare a file with its checksum, and remove it if damaged.

    The hub names large files by their SHA-256, small ones by git's SHA-1.
    """
    from huggingface_hub.utils.sha import git_hash, sha_fileobj

    blob = file.resolve()
    if len(blob.name) == 64:
        with blob.open("rb") as content:
            actual = sha_fileobj(content).hex()
    elif len(blob.name) == 40:
        actual = git_hash(blob.read_bytes())
    else:
        log.warning("%s has no checksum to compare with", file.name)
        return
    if actual != blob.name:
        file.unlink()
        raise _remove_damaged(blob)


def _remove_damaged(file: Path) -> DownloadError:
    """Remove a damaged file and return the error to raise."""
    file.unlink()
    return DownloadError(
        f"{file.name} is damaged: its size or checksum is wrong", "It has been removed; pull the model again."
    )


def _retry_and_explain(model: Model, settings: Settings, get: Callable[[], Path]) -> Path:
    """Call ``get``, and retry if the connection breaks.

    Any other error is raised as a DownloadError with advice.
    """
    import requests
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    for again in reversed(range(TRIES)):
        try:
            return get()
        except requests.exceptions.ChunkedEncodingError:
            log.warning("connection lost while downloading %s; %d more attempts", model.name, again)
        except LocalEntryNotFoundError as error:  # first: it is a subclass of those in the next two clauses
            raise _explain_unreachable(model, error.__cause__ or error) from error
        except HfHubHTTPError as error:
            raise DownloadError(_explain_refusal(model, settings, error)) from error
        except (requests.RequestException, ConnectionError) as error:  # ConnectionError is raised for HF_HUB_OFFLINE
            raise _explain_unreachable(model, error) from error
        except OSError as error:
            raise DownloadError(
                f"{model.name} cannot be stored in {settings.models.path}: {error}", local=True
            ) from error
    raise DownloadError(f"The connection was lost {TRIES} times", f"Pull {model.name} again to resume the download.")


def _explain_refusal(model: Model, settings: Settings, error: Any) -> str:
    """Explain a refusal of the hub to the operator.

    Gated models answer 401 without a token, and 403 if the conditions are not accepted.
    """
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    page = f"{hub_url()}/{hub_repository(model)}" if bundle_file(model) is None else hub_names.BUNDLES_URL
    token = "HF_TOKEN is set" if settings.hf_token else "HF_TOKEN is not set"
    if isinstance(error, GatedRepoError):
        return f"{page} is gated, and {token}: accept its conditions there and use a token of the same account"
    status = error.response.status_code
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return f"{page} does not exist, or requires a token with read access ({token}; status {status})"
    return f"{page} answered with status {status}; try again later"


def _explain_unreachable(model: Model, error: BaseException) -> DownloadError:
    source = hub_url() if bundle_file(model) is None else hub_names.BUNDLES_URL
    return DownloadError(f"{source} cannot be reached ({type(error).__name__})", advise_copy(model))


def advise_copy(model: Model) -> str:
    """Say how to get a model without a network."""
    return f"Pull {model.name} on a machine with internet and copy its models/ folder here."


def hub_url() -> str:
    """Return the hub's address; HF_ENDPOINT can change it."""
    from huggingface_hub import constants

    return str(constants.ENDPOINT)
