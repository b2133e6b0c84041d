"""Read config.yaml, .env and the environment once, into frozen dataclasses; refuse to start on anything odd.

``python -m app.core.settings server.port`` prints one value, for scripts that need it before the service runs.
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import sys
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dotenv.parser import parse_stream

from app.core import configfile
from app.core.errors import SettingsError
from app.core.net import addresses

ROOT = Path(__file__).resolve().parents[2]
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


def _limited(default: Any, **limits: Any) -> Any:
    """A dataclass field with ``choices``, ``least``, ``most`` or ``each`` that the loader enforces."""
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=limits)
    return field(default=default, metadata=limits)


def _check_host(entry: str) -> None:
    """Raise ValueError for what is neither ``*``, a host name, an IP address, nor ``.name`` for all names below one."""
    if not re.fullmatch(r"\*|\.?[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_])?|\[?[0-9A-Fa-f]*:[0-9A-Fa-f:.]*\]?", entry):
        raise ValueError(f"{entry!r:.60} is not a host name; names stand without scheme, port and path")


def _check_origin(entry: str) -> None:
    """Raise ValueError for what no browser sends as ``Origin``."""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://[a-z0-9._\[\]:-]+", entry) or entry.endswith((":80", ":443")):
        say = (
            "an origin is scheme and host in lower case, and a port that is not the scheme's own: https://page.example"
        )
        raise ValueError(f"{entry!r:.60} is not an origin; {say}")


@dataclass(frozen=True)
class Server:
    host: str = "127.0.0.1"
    port: int = _limited(8000, least=1, most=65535)
    processes: int = _limited(2, least=1, most=64)
    threads: int = _limited(16, least=2, most=512)
    graceful_timeout: int = _limited(60, least=1, most=3600)
    allowed_hosts: tuple[str, ...] = _limited((), each=_check_host)
    cors_origins: tuple[str, ...] = _limited((), each=_check_origin)
    trusted_proxies: int = _limited(0, least=0, most=16)


@dataclass(frozen=True)
class Models:
    path: Path = Path("models")


@dataclass(frozen=True)
class Whisper:
    model_size: str = "large-v3"
    models: Mapping[str, str] = _limited({})
    compute_type: str = _limited("auto", choices=COMPUTE_TYPES)
    batch_size: int = _limited(8, least=1, most=256)
    enable_offload: bool = False


@dataclass(frozen=True)
class Align:
    models: Mapping[str, str] = _limited({})


@dataclass(frozen=True)
class BgmSeparation:
    model_size: str = "htdemucs"
    models: Mapping[str, str] = _limited({})
    device: str = _limited("auto", choices=("auto", "cpu", "cuda"))
    enable_offload: bool = True


@dataclass(frozen=True)
class Diarization:
    model: str = "pyannote/speaker-diarization-community-1"
    device: str = _limited("auto", choices=("auto", "cpu"))
    enable_offload: bool = False


@dataclass(frozen=True)
class Workers:
    device: str = _limited("auto", choices=("auto", "cpu", "cuda"))
    cpu_slots: int = _limited(1, least=1, most=64)
    cpu_threads: int = _limited(0, least=0, most=256)
    preload: bool = True
    drain_timeout: float = _limited(3.0, least=0.0, most=86400.0)
    task_timeout: float = _limited(21600.0, least=1.0, most=2592000.0)
    load_timeout: float = _limited(1800.0, least=1.0, most=86400.0)
    retry_pause: float = _limited(10.0, least=0.0, most=900.0)
    max_rss: int = _limited(0, least=0)


@dataclass(frozen=True)
class Cache:
    path: Path = Path("cache")
    ttl: int = _limited(600, least=0)
    frequency: int = _limited(60, least=1)


@dataclass(frozen=True)
class Tasks:
    ttl: int = _limited(0, least=0)


@dataclass(frozen=True)
class Limits:
    max_upload_mb: int = _limited(4096, least=1)
    max_audio_hours: float = _limited(12.0, least=0.01, most=1000.0)
    max_queued: int = _limited(1000, least=1)
    min_free_mb: int = _limited(500, least=0)
    min_upload_kb_per_second: float = _limited(1.0, least=0.0, most=1e6)


@dataclass(frozen=True)
class Fetch:
    enabled: bool = True
    allow: tuple[str, ...] = _limited((), each=addresses.parse_allow_entry)
    parallel: int = _limited(4, least=1, most=64)
    timeout: float = _limited(3600.0, least=1.0, most=86400.0)
    stall_seconds: float = _limited(30.0, least=1.0, most=3600.0)
    min_kb_per_second: float = _limited(10.0, least=0.1, most=1e6)


@dataclass(frozen=True)
class Settings:
    server: Server = field(default_factory=Server)
    models: Models = field(default_factory=Models)
    whisper: Whisper = field(default_factory=Whisper)
    align: Align = field(default_factory=Align)
    bgm_separation: BgmSeparation = field(default_factory=BgmSeparation)
    diarization: Diarization = field(default_factory=Diarization)
    workers: Workers = field(default_factory=Workers)
    cache: Cache = field(default_factory=Cache)
    tasks: Tasks = field(default_factory=Tasks)
    limits: Limits = field(default_factory=Limits)
    fetch: Fetch = field(default_factory=Fetch)
    transcription: Mapping[str, Any] = _limited({})
    db_url: str = field(default="", repr=False)
    hf_token: str = field(default="", repr=False)


SECTIONS = [f.name for f in dataclasses.fields(Settings) if f.name not in ("transcription", "db_url", "hf_token")]


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Settings from ``CONFIG`` (default config.yaml beside wsgi.py), ``.env`` and the environment, the later one winning.

    Raises SettingsError naming the file, the line and the key of the first thing that cannot be used.
    """
    env = {**_dotenv(root / ".env"), **(os.environ if environ is None else environ)}
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
    )
    return _overridden(settings, env, config.parent)


def _dotenv(path: Path) -> dict[str, str]:
    """The NAME=value lines of ``path``; of any other line the error names only the number, as it may hold a token."""
    values: dict[str, str] = {}
    if path.is_file():
        for line in parse_stream(io.StringIO(path.read_text(encoding="utf-8"))):
            if line.error or (line.key is not None and line.value is None):
                raise SettingsError(f"{path}, line {line.original.line}: expected NAME=value")
            if line.key is not None:
                values[line.key] = line.value or ""
    return values


def _overridden(settings: Settings, env: Mapping[str, str], beside: Path) -> Settings:
    """Apply HOST, PORT and CACHE_DIR; make every path absolute (config paths count from the config's folder)."""
    server, cache = settings.server, settings.cache
    if env.get("HOST"):
        server = dataclasses.replace(server, host=env["HOST"])
    if env.get("PORT"):
        if not (re.fullmatch("[0-9]{1,5}", env["PORT"]) and 1 <= int(env["PORT"]) <= 65535):
            raise SettingsError(f"environment: PORT must be a number from 1 to 65535, not {env['PORT']!r:.60}")
        server = dataclasses.replace(server, port=int(env["PORT"]))
    cache_path = Path(env["CACHE_DIR"]).absolute() if env.get("CACHE_DIR") else (beside / cache.path).resolve()
    return dataclasses.replace(
        settings,
        server=server,
        cache=dataclasses.replace(cache, path=cache_path),
        models=Models(path=(beside / settings.models.path).resolve()),
    )


def main(arguments: list[str]) -> None:
    """Print the value of one dotted setting, such as ``server.port``."""
    value: Any = load()
    for name in arguments[0].split("."):
        value = getattr(value, name)
    print(value)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except SettingsError as error:
        sys.exit(str(error))
