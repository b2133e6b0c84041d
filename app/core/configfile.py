"""Read a YAML file into dataclasses.

Every error names the file, the line and the key.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from app.core.errors import SettingsError


class _Section(dict[str, Any]):
    """A mapping read from YAML that remembers the file and line of each key."""

    def __init__(self) -> None:
        super().__init__()
        self.places: dict[str, str] = {}


def locate_key(section: Mapping[str, Any], key: str) -> str:
    """The file and line of ``key``, for error messages.

    It is ``config`` for a section that was not read from a file.
    """
    return section.places.get(key, "config") if isinstance(section, _Section) else "config"


def drop_key(section: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The section without ``key``; the other keys keep their places."""
    if not isinstance(section, _Section):
        return {name: value for name, value in section.items() if name != key}
    kept = _Section()
    kept.update({name: value for name, value in section.items() if name != key})
    kept.places = section.places
    return kept


def read_sections(path: Path, sections: list[str]) -> dict[str, Any]:
    """Read the sections of a file.

    Raises SettingsError for a name outside ``sections``.
    """
    try:
        # compose, not load: only nodes know their lines
        node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise SettingsError(f"{path}: cannot read the file ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    try:
        values = _convert_node(node, path) if node is not None else _Section()
    except RecursionError as error:  # an anchor may refer to its own parent
        raise SettingsError(f"{path}: nesting too deep, or an anchor that contains itself") from error
    if not isinstance(values, _Section):
        raise SettingsError(f"{path}: expected sections such as 'whisper:'")
    for name, value in values.items():
        if name not in sections:
            raise SettingsError(f"{values.places[name]}: unknown section {name!r}; use one of {', '.join(sections)}")
        if not isinstance(value, _Section):
            raise SettingsError(f"{values.places[name]}: section {name!r} must hold 'key: value' lines")
    return values


def _convert_node(node: yaml.Node, path: Path) -> Any:
    """Convert a YAML node.

    Unlike ``yaml.safe_load``, it keeps the lines and rejects duplicate keys.
    """
    if isinstance(node, yaml.SequenceNode):
        return [_convert_node(item, path) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        return _convert_scalar(node, path)
    values = _Section()
    for key, value in node.value:
        name, where = str(key.value), f"{path}, line {key.start_mark.line + 1}"
        if name in values:
            raise SettingsError(f"{where}: {name!r} is given twice")
        values[name] = _convert_node(value, path)
        values.places[name] = where
    return values


def _convert_scalar(node: yaml.Node, path: Path) -> Any:
    """Construct a scalar as SafeLoader does, but with an error that names the line."""
    try:
        return yaml.SafeLoader("").construct_object(node, deep=True)  # type: ignore[no-untyped-call]
    except (yaml.YAMLError, ValueError) as error:
        kind = node.tag.removeprefix("tag:yaml.org,2002:")
        where = f"{path}, line {node.start_mark.line + 1}"
        raise SettingsError(f"{where}: {node.value!r:.60} is not a valid {kind}") from error


def build_section(kind: Any, name: str, values: Any) -> Any:
    """Build the dataclass ``kind`` from ``values``.

    Missing keys keep their defaults.
    A field's metadata may set ``choices``, ``least`` and ``most``, and ``check`` or ``each``: a function that raises
    ValueError for a bad value, or a bad entry of a list. Raises SettingsError.
    """
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    chosen = {}
    for key, value in values.items():
        where = f"{values.places[key]}: {name}.{key}"
        if key not in fields:
            raise SettingsError(f"{where} is not a setting; use one of {', '.join(fields)}")
        chosen[key] = _check_value(value, hints[key], fields[key].metadata, where)
    return kind(**chosen)


def _check_value(value: Any, kind: Any, limits: Mapping[str, Any], where: str) -> Any:
    value = _convert_value(value, kind, where)
    if "choices" in limits and value not in limits["choices"]:
        raise SettingsError(f"{where} must be one of {', '.join(limits['choices'])}, not {value!r:.60}")
    if "least" in limits and value < limits["least"]:
        raise SettingsError(f"{where} must be at least {limits['least']}, not {value!r:.60}")
    if "most" in limits and value > limits["most"]:
        raise SettingsError(f"{where} must be at most {limits['most']}, not {value!r:.60}")
    checks = [(limits["check"], value)] if "check" in limits else []
    checks += [(limits["each"], entry) for entry in value] if "each" in limits else []
    for check, entry in checks:
        try:
            check(entry)
        except ValueError as error:
            raise SettingsError(f"{where}: {error}") from error
    return value


def _convert_value(value: Any, kind: Any, where: str) -> Any:
    if kind is float and type(value) is int and abs(value) < 2**53:  # larger integers would be rounded
        return float(value)
    if kind is float and value != value:  # NaN, which every comparison with a limit would let pass
        raise SettingsError(f"{where} must be a number, not {value!r}")
    if kind is Path and isinstance(value, str):
        return Path(value)
    if typing.get_origin(kind) is Mapping:
        if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
            return dict(value)
        raise SettingsError(f"{where} must hold 'name: place' lines")
    if typing.get_origin(kind) is tuple:
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            return tuple(value)
        raise SettingsError(f"{where} must be a list of texts, such as [a, b]")
    if type(value) is not kind:  # not isinstance: True is an int, too
        names = {int: "a whole number", float: "a number", bool: "true or false", str: "text", Path: "a path"}
        raise SettingsError(f"{where} must be {names[kind]}, not {value!r:.60}")
    return value
