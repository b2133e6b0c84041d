"""Other services' contracts, and the errors in their shapes.

A façade translates names and bodies; all of them share one way to submit and to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, Flask, Response, current_app, request

_FACADES = "speech.facades"


@dataclass(frozen=True)
class HttpError:
    """An error as every façade gets it, to be put into its own shape.

    ``errors`` has the messages of each parameter, by its native name.
    """

    status: int
    message: str
    errors: dict[str, list[str]]
    headers: dict[str, str]


@dataclass(frozen=True)
class Facade:
    """One contract.

    ``name`` is stored with the tasks. ``owns`` tells whether a path belongs to the contract, even if no view has it.
    ``render_error`` makes the response to a request that failed. ``document`` returns its OpenAPI document, which is
    served at /openapi/<name>.json. POSTs to its ``blueprint`` upload
    recordings.
    """

    name: str
    owns: Callable[[str], bool]
    render_error: Callable[[HttpError], Response]
    document: Callable[[], dict[str, Any]]
    blueprint: Blueprint


def register_facade(app: Flask, facade: Facade) -> None:
    """Serve ``facade``, and let it answer errors of its paths, such as 404 and 405."""
    app.register_blueprint(facade.blueprint)
    list_facades(app).append(facade)


def list_facades(app: Flask | None = None) -> list[Facade]:
    """Return the façades of ``app`` (default: the current one)."""
    facades: list[Facade] = (app or current_app).extensions.setdefault(_FACADES, [])
    return facades


def find_facade() -> Facade | None:
    """Return the façade that the current request belongs to."""
    return next((facade for facade in list_facades() if facade.owns(request.path)), None)
