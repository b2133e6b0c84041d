"""Load the settings from config.yaml, .env and the environment.

Unknown keys and invalid values are errors: a typo must not silently become a default.

``python -m app.core.settings server.port`` prints one value, for scripts that need it before the service runs.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import sys
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from app.core import configfile
from app.core.catalog import hub_names, places
from app.core.errors import SettingsError
from app.core.net import addresses
from app.core.storage import location
from app.core.webhooks import check_receiver, read_secrets

ROOT = Path(__file__).resolve().parents[2]
LOCAL, RAY = "local", "ray"
ENGINES = (LOCAL, RAY)
COMPUTE_TYPES = (
    "auto",
    "default",
    "int8",
    "int8_float32",
    "int8_float16",
    "int8_bfloat16",
    "int16",
    "float16",
    "bfloat16",
    "float32",
)


def _limit(default: Any, **limits: Any) -> Any:
    """Declare a dataclass field with limits.

    ``limits``: ``choices``, ``least``, ``most``, ``check`` or ``each``; the loader (configfile.py) enforces them.
    """
    if isinstance(default, dict):  # dataclasses reject a mutable default
        return field(default_factory=lambda: dict(default), metadata=limits)
    return field(default=default, metadata=limits)


def _check_host(entry: str) -> None:
    """Raise ValueError unless ``entry`` is a host pattern.

    Allowed are ``*``, a host name, an IP address, and ``.name`` for all names below one.
    """
    if not re.fullmatch(r"\*|\.?[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?", entry):
        raise ValueError(f"{entry!r:.60} is not a host name; give it without scheme, port and path")


def _check_origin(entry: str) -> None:
    """Raise ValueError unless browsers send such an ``Origin``."""
    # Browsers leave out the default port of a scheme: an entry with it would never match.
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+", entry) or entry.endswith((":80", ":443")):
        say = "give scheme and host in lower case, and a port only if it is not the default: https://page.example"
        raise ValueError(f"{entry!r:.60} is not an origin; {say}")


@dataclass(frozen=True)
class Server:
    host: str = "127.0.0.1"
    port: int = _limit(8000, least=1, most=65535)
    processes: int = _limit(2, least=1, most=64)
    threads: int = _limit(32, least=2, most=512)
    graceful_timeout: int = _limit(60, least=1, most=3600)
    allowed_hosts: tuple[str, ...] = _limit((), each=_check_host)
    cors_origins: tuple[str, ...] = _limit((), each=_check_origin)
    trusted_proxies: int = _limit(0, least=0, most=16)


@dataclass(frozen=True)
class Models:
    path: Path = Path("models")
    idle_ttl: int = _limit(0, least=0, most=2592000)


@dataclass(frozen=True)
class Whisper:
    model_size: str = "large-v3"
    models: Mapping[str, str] = _limit({})
    compute_type: str = _limit("auto", choices=COMPUTE_TYPES)
    batch_size: int = _limit(8, least=1, most=256)
    enable_offload: bool = False


@dataclass(frozen=True)
class Align:
    models: Mapping[str, str] = _limit({})


@dataclass(frozen=True)
class BgmSeparation:
    model_size: str = "htdemucs"
    models: Mapping[str, str] = _limit({})
    device: str = _limit("auto", choices=("auto", "cpu", "cuda"))
    enable_offload: bool = True


@dataclass(frozen=True)
class Diarization:
    model: str = "auto"
    device: str = _limit("auto", choices=("auto", "cpu"))
    enable_offload: bool = False


@dataclass(frozen=True)
class Workers:
    engine: str = _limit(LOCAL, choices=ENGINES)
    device: str = _limit("auto", choices=("auto", "cpu", "cuda"))
    cpu_slots: int = _limit(1, least=1, most=64)
    cpu_threads: int = _limit(0, least=0, most=256)
    slots_per_gpu: int = _limit(1, least=1, most=16)
    tasks_per_device: int = _limit(4, least=1, most=64)
    max_audio_mb: int = _limit(1024, least=1)
    preload: bool = True
    drain_timeout: float = _limit(3.0, least=0.0, most=86400.0)
    task_timeout: float = _limit(21600.0, least=1.0, most=2592000.0)
    load_timeout: float = _limit(1800.0, least=1.0, most=86400.0)
    retry_pause: float = _limit(10.0, least=0.0, most=900.0)  # LONGEST_PAUSE_SECONDS (db/claims.py) relies on ``most``
    max_rss: int = _limit(0, least=0)


@dataclass(frozen=True)
class Ray:
    address: str = "auto"
    slots: int = _limit(0, least=0, most=4096)
    idle_timeout: float = _limit(0.0, least=0.0, most=86400.0)


@dataclass(frozen=True)
class Cache:
    path: Path = Path("cache")
    ttl: int = _limit(600, least=0)
    upload_ttl: int = _limit(3600, least=60)
    frequency: int = _limit(60, least=1)


@dataclass(frozen=True)
class Storage:
    url: str = _limit("", check=location.check_url)
    endpoint: str = _limit("", check=location.check_endpoint)
    redirect: bool = False


@dataclass(frozen=True)
class Tasks:
    ttl: int = _limit(0, least=0)
    reuse_ttl: int = _limit(600, least=0)


@dataclass(frozen=True)
class Limits:
    max_upload_mb: int = _limit(4096, least=1)
    max_audio_hours: float = _limit(12.0, least=0.01, most=1000.0)
    max_queued: int = _limit(1000, least=1)
    max_batch: int = _limit(100, least=1, most=1000)
    min_free_mb: int = _limit(500, least=0)
    min_upload_kb_per_second: float = _limit(1.0, least=0.0, most=1e6)
    max_wait: float = _limit(3600.0, least=1.0, most=86400.0)


@dataclass(frozen=True)
class Fetch:
    enabled: bool = True
    allow: tuple[str, ...] = _limit((), each=addresses.parse_allow_entry)
    parallel: int = _limit(4, least=1, most=64)
    timeout: float = _limit(3600.0, least=1.0, most=86400.0)
    stall_seconds: float = _limit(30.0, least=1.0, most=3600.0)
    min_kb_per_second: float = _limit(10.0, least=0.1, most=1e6)


@dataclass(frozen=True)
class Webhooks:
    enabled: bool = True
    # may hold a secret
    url: str = field(default="", repr=False, metadata={"check": check_receiver})
    timeout: float = _limit(20.0, least=1.0, most=120.0)
    parallel: int = _limit(4, least=1, most=64)


@dataclass(frozen=True)
class Metrics:
    open: bool = False


@dataclass(frozen=True)
class Console:
    enabled: bool = True
    session_hours: int = _limit(12, least=1, most=8760)


@dataclass(frozen=True)
class Settings:
    server: Server = field(default_factory=Server)
    models: Models = field(default_factory=Models)
    whisper: Whisper = field(default_factory=Whisper)
    align: Align = field(default_factory=Align)
    bgm_separation: BgmSeparation = field(default_factory=BgmSeparation)
    diarization: Diarization = field(default_factory=Diarization)
    workers: Workers = field(default_factory=Workers)
    ray: Ray = field(default_factory=Ray)
    cache: Cache = field(default_factory=Cache)
    storage: Storage = field(default_factory=Storage)
    tasks: Tasks = field(default_factory=Tasks)
    limits: Limits = field(default_factory=Limits)
    fetch: Fetch = field(default_factory=Fetch)
    webhooks: Webhooks = field(default_factory=Webhooks)
    metrics: Metrics = field(default_factory=Metrics)
    console: Console = field(default_factory=Console)
    transcription: Mapping[str, Any] = _limit({})
    # These may hold a secret, and a logged Settings object must not show it.
    db_url: str = field(default="", repr=False)
    hf_token: str = field(default="", repr=False)
    webhook_secrets: tuple[str, ...] = field(default=(), repr=False)
    storage_keys: location.Keys = field(default_factory=location.Keys, repr=False)
    # of the configuration file; the folders of models may be relative to it
    folder: Path | None = field(default=None, compare=False)


NO_SECTIONS = ("transcription", "db_url", "hf_token", "webhook_secrets", "storage_keys", "folder")
SECTIONS = [f.name for f in dataclasses.fields(Settings) if f.name not in NO_SECTIONS]


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Load the settings from all sources.

    The sources are ``CONFIG`` (default: config.yaml beside wsgi.py), ``.env`` and the environment; later ones take
    precedence.

    Raises SettingsError with the file, the line and the key of the first invalid value.
    """
    env = {**_read_dotenv(root / ".env"), **(os.environ if environ is None else environ)}
    config = Path(env.get("CONFIG") or root / "config.yaml")
    if not config.is_absolute():
        config = root / config
    values = configfile.read_sections(config, [*SECTIONS, "transcription"])
    kinds = typing.get_type_hints(Settings)
    sections = {name: configfile.build_section(kinds[name], name, values.get(name, {})) for name in SECTIONS}
    settings = Settings(
        **sections,
        transcription=values.get("transcription", {}),
        db_url=env.get("DB_URL") or f"sqlite:///{config.parent / 'records.db'}",
        hf_token=env.get("HF_TOKEN", ""),
        webhook_secrets=_read_webhook_secrets(env),
        storage_keys=location.read_keys(env),
        folder=config.parent,
    )
    settings = _apply_environment(settings, env, config.parent)
    _check_storage(settings.storage, values.get("storage", {}))
    _check_models(settings, values, env)
    return settings


def _read_dotenv(path: Path) -> dict[str, str]:
    """Read the NAME=value lines of ``path``."""
    values: dict[str, str] = {}
    if path.is_file():
        for line in parse_stream(io.StringIO(path.read_text(encoding="utf-8"))):
            # The line may hold a token: the error gives only its number.
            if line.error or (line.key is not None and line.value is None):
                raise SettingsError(f"{path}, line {line.original.line}: expected NAME=value")
            if line.key is not None:
                values[line.key] = line.value or ""
    return values


def _read_webhook_secrets(env: Mapping[str, str]) -> tuple[str, ...]:
    try:
        return read_secrets(env.get("WEBHOOK_SECRET", ""))
    except ValueError as error:
        raise SettingsError(f"environment: WEBHOOK_SECRET: {error}") from error


def _apply_environment(settings: Settings, env: Mapping[str, str], beside: Path) -> Settings:
    """Apply HOST, PORT, CACHE_DIR, MODEL, ENGINE, STORAGE_URL and STORAGE_ENDPOINT; make paths absolute.

    Paths in the config file are relative to its folder, ``beside``.
    """
    server, cache, whisper, transcription = settings.server, settings.cache, settings.whisper, settings.transcription
    if env.get("MODEL"):
        whisper = dataclasses.replace(whisper, model_size=env["MODEL"])
        transcription = configfile.drop_key(transcription, "model_size")  # it would override the default
    if env.get("HOST"):
        server = dataclasses.replace(server, host=env["HOST"])
    if env.get("PORT"):
        if not (re.fullmatch("[0-9]{1,5}", env["PORT"]) and 1 <= int(env["PORT"]) <= 65535):
            raise SettingsError(f"environment: PORT must be a number from 1 to 65535, not {env['PORT']!r:.60}")
        server = dataclasses.replace(server, port=int(env["PORT"]))
    workers = settings.workers
    if env.get("ENGINE"):
        if env["ENGINE"] not in ENGINES:
            raise SettingsError(f"environment: ENGINE must be one of {', '.join(ENGINES)}, not {env['ENGINE']!r:.60}")
        workers = dataclasses.replace(workers, engine=env["ENGINE"])
    # Unlike paths in the config file, CACHE_DIR is relative to the working directory, as paths in a shell are.
    cache_path = Path(env["CACHE_DIR"]).absolute() if env.get("CACHE_DIR") else (beside / cache.path).resolve()
    return dataclasses.replace(
        settings,
        server=server,
        cache=dataclasses.replace(cache, path=cache_path),
        storage=_choose_storage(settings.storage, env),
        models=dataclasses.replace(settings.models, path=(beside / settings.models.path).resolve()),
        whisper=whisper,
        workers=workers,
        transcription=transcription,
    )


def _choose_storage(storage: Storage, env: Mapping[str, str]) -> Storage:
    url, endpoint = env.get("STORAGE_URL", ""), env.get("STORAGE_ENDPOINT", "")
    for variable, value, check in (
        ("STORAGE_URL", url, location.check_url),
        ("STORAGE_ENDPOINT", endpoint, location.check_endpoint),
    ):
        try:
            check(value)
        except ValueError as error:
            raise SettingsError(f"environment: {variable}: {error}") from error
    return dataclasses.replace(storage, url=url or storage.url, endpoint=endpoint or storage.endpoint)


def _check_storage(storage: Storage, read: Mapping[str, Any]) -> None:
    """Raise SettingsError for a setting that has no effect."""
    for name in ("endpoint", "redirect"):
        if getattr(storage, name) and not storage.url:
            where = configfile.locate_key(read, name)
            raise SettingsError(f"{where}: storage.{name} has no effect without storage.url (or STORAGE_URL)")


def _check_models(settings: Settings, values: Mapping[str, Any], env: Mapping[str, str]) -> None:
    """Raise SettingsError for a path to a model that does not exist, with the line that names it.

    Other names are looked up when the model is needed: their models may still have to be downloaded.
    """
    for section, key, name, place in _list_places(settings):
        if env.get("MODEL") and (section, key) == ("whisper", "model_size"):
            where = "environment: MODEL"
            _check_model_variable(place, settings)
        else:
            read = values.get(section, {})
            line = configfile.locate_key(read.get(key, {}), name) if name else configfile.locate_key(read, key)
            where = f"{line}: {section}.{key}{'.' * bool(name)}{name}"
        try:
            places.check_place(place, settings.models.path, settings.folder)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error


def _list_places(settings: Settings) -> Iterator[tuple[str, str, str, str]]:
    """List the configured models as section, key, name in a mapping (or empty), and place."""
    for section in ("whisper", "align", "bgm_separation"):
        models: Mapping[str, str] = getattr(settings, section).models
        yield from ((section, "models", name, place) for name, place in models.items())
    for section in ("whisper", "bgm_separation"):
        chosen = getattr(settings, section)
        if chosen.model_size not in chosen.models:
            yield section, "model_size", "", chosen.model_size
    yield "diarization", "model", "", settings.diarization.model


def _check_model_variable(name: str, settings: Settings) -> None:
    """Raise SettingsError for a MODEL that cannot be found at all.

    config.yaml may name a folder that is still to be copied; who starts the service with MODEL wants to use it now.
    """
    folders = places.list_folders(name, settings.models.path, settings.folder)
    if "/" in name or name in hub_names.WHISPER or any(folder.is_dir() for folder in folders):
        return
    known = ", ".join(dict.fromkeys([*settings.whisper.models, *hub_names.WHISPER]))
    raise SettingsError(f"environment: MODEL must be one of {known}, a folder or a hub repository, not {name!r:.60}")


def main(arguments: list[str]) -> None:
    """Print one setting, such as ``server.port``."""
    value: Any = load()
    for name in arguments[0].split("."):
        value = getattr(value, name)
    print(value)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SettingsError as error:
        sys.exit(str(error))
