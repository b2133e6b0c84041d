"""Read config.yaml, .env and the environment once, into frozen dataclasses; refuse to start on anything odd.

``python -m app.settings server.port`` prints one value, for scripts that need it before the service runs.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

import yaml

from app.errors import SettingsError

ROOT = Path(__file__).resolve().parent.parent
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
    """A dataclass field with ``choices``, ``least`` or ``most`` that the loader enforces."""
    if isinstance(default, dict):
        return field(default_factory=lambda: dict(default), metadata=limits)
    return field(default=default, metadata=limits)


@dataclass(frozen=True)
class Server:
    host: str = "127.0.0.1"
    port: int = _limited(8000, least=1, most=65535)
    processes: int = _limited(2, least=1, most=64)
    threads: int = _limited(16, least=2, most=512)


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
    device: str = _limited("auto", choices=("auto", "cpu", "cuda"))
    enable_offload: bool = True


@dataclass(frozen=True)
class Workers:
    device: str = _limited("auto", choices=("auto", "cpu", "cuda"))
    cpu_slots: int = _limited(1, least=1, most=64)
    cpu_threads: int = _limited(0, least=0, most=256)
    preload: bool = True
    drain_timeout: float = _limited(3.0, least=0.0, most=86400.0)


@dataclass(frozen=True)
class Cache:
    path: Path = Path("cache")
    ttl: int = _limited(600, least=0)
    frequency: int = _limited(60, least=1)


@dataclass(frozen=True)
class Limits:
    max_upload_mb: int = _limited(4096, least=1)
    max_audio_hours: float = _limited(12.0, least=0.01, most=1000.0)
    max_queued: int = _limited(1000, least=1)
    min_free_mb: int = _limited(500, least=0)


@dataclass(frozen=True)
class Settings:
    server: Server = field(default_factory=Server)
    models: Models = field(default_factory=Models)
    whisper: Whisper = field(default_factory=Whisper)
    align: Align = field(default_factory=Align)
    bgm_separation: BgmSeparation = field(default_factory=BgmSeparation)
    workers: Workers = field(default_factory=Workers)
    cache: Cache = field(default_factory=Cache)
    limits: Limits = field(default_factory=Limits)
    transcription: Mapping[str, Any] = _limited({})
    db_url: str = field(default="", repr=False)
    hf_token: str = field(default="", repr=False)


SECTIONS = [f.name for f in dataclasses.fields(Settings) if f.name not in ("transcription", "db_url", "hf_token")]


def load(environ: Mapping[str, str] | None = None, root: Path = ROOT) -> Settings:
    """Settings from ``CONFIG`` (default config.yaml beside wsgi.py), ``.env`` and the environment, the later one winning.

    Raises SettingsError naming the file, the line and the key of the first thing that cannot be used.
    """
    env = {**read_dotenv(root / ".env"), **(os.environ if environ is None else environ)}
    config = Path(env.get("CONFIG") or root / "config.yaml")
    if not config.is_absolute():
        config = root / config
    values = _read_config(config)
    sections = {name: _section(name, values.get(name, {})) for name in SECTIONS}
    settings = Settings(
        **sections,
        transcription=values.get("transcription", {}),
        db_url=env.get("DB_URL") or f"sqlite:///{config.parent / 'records.db'}",
        hf_token=env.get("HF_TOKEN", ""),
    )
    return _overridden(settings, env, config.parent)


def read_dotenv(path: Path) -> dict[str, str]:
    """NAME=value lines of ``path``; blank lines and # comments are passed over, quotes around a value removed."""
    if not path.is_file():
        return {}
    values = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        name, equals, value = text.removeprefix("export ").partition("=")
        if not equals or not name.strip().isidentifier():
            raise SettingsError(f"{path}, line {number}: expected NAME=value")
        values[name.strip()] = value.strip().strip("\"'")
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


class _Lines(dict[str, Any]):
    """A mapping read from YAML that remembers the file and the line each key stands on."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}


def place(section: Mapping[str, Any], key: str) -> str:
    """The file and the line on which ``key`` of a section was read; ``config`` when it was not read from a file."""
    return section.places.get(key, "config") if isinstance(section, _Lines) else "config"


def _read_config(path: Path) -> dict[str, Any]:
    try:
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    values = _plain(node, path) if node is not None else _Lines()
    if not isinstance(values, _Lines):
        raise SettingsError(f"{path}: expected sections such as 'whisper:'")
    for name, value in values.items():
        if name not in SECTIONS and name != "transcription":
            known = ", ".join([*SECTIONS, "transcription"])
            raise SettingsError(f"{values.places[name]}: unknown section {name!r}; there are {known}")
        if not isinstance(value, _Lines):
            raise SettingsError(f"{values.places[name]}: section {name!r} must hold 'key: value' lines")
    return values


def _plain(node: yaml.Node, path: Path) -> Any:
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, path) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return _scalar(node, path)
    values = _Lines()
    for key, value in node.value:
        name, where = str(key.value), f"{path}, line {key.start_mark.line + 1}"
        if name in values:
            raise SettingsError(f"{where}: {name!r} is given twice")
        values[name] = _plain(value, path)
        values.places[name] = where
    return values


def _scalar(node: yaml.Node, path: Path) -> Any:
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)  # type: ignore[no-untyped-call]
    except (yaml.YAMLError, ValueError) as error:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        where = f"{path}, line {node.start_mark.line + 1}"
        raise SettingsError(f"{where}: {node.value!r:.60} cannot be read as {kind}") from error


def _section(name: str, values: Any) -> Any:
    kind = typing.get_type_hints(Settings)[name]
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    chosen = {}
    for key, value in values.items():
        where = f"{values.places[key]}: {name}.{key}"
        if key not in fields:
            raise SettingsError(f"{where} is not a setting; {name} has {', '.join(fields)}")
        chosen[key] = _checked(value, hints[key], fields[key].metadata, where)
    return kind(**chosen)


def _checked(value: Any, kind: Any, limits: Mapping[str, Any], where: str) -> Any:
    value = _typed(value, kind, where)
    if "choices" in limits and value not in limits["choices"]:
        raise SettingsError(f"{where} must be one of {', '.join(limits['choices'])}, not {value!r:.60}")
    if "least" in limits and value < limits["least"]:
        raise SettingsError(f"{where} must be at least {limits['least']}, not {value!r:.60}")
    if "most" in limits and value > limits["most"]:
        raise SettingsError(f"{where} must be at most {limits['most']}, not {value!r:.60}")
    return value


def _typed(value: Any, kind: Any, where: str) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**53:
        return float(value)
    if kind is float and value != value:
        raise SettingsError(f"{where} must be a number, not {value!r}")
    if kind is Path and isinstance(value, str):
        return Path(value)
    if typing.get_origin(kind) is Mapping:
        if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
            return dict(value)
        raise SettingsError(f"{where} must hold 'name: place' lines")
    if typing.get_origin(kind) in (Union, types.UnionType) or type(value) is not kind:
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
        raise SettingsError(f"{where} must be {names[kind]}, not {value!r:.60}")
    return value


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
