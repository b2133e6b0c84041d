"""Other services' contracts, and the errors in their shapes.

A façade translates names and bodies; all of them share one way to submit and to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, current_app, request

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
    ``render_error`` makes the response to a request that failed.
    """

    name: str
    owns: Callable[[str], bool]
    render_error: Callable[[HttpError], Response]


def register_facade(app: Flask, facade: Facade) -> None:
    """Let ``facade`` answer errors of its paths, such as 404 and 405."""
    app.extensions.setdefault(_FACADES, []).append(facade)


def find_facade() -> Facade | None:
    """Return the façade that the current request belongs to."""
    facades: list[Facade] = current_app.extensions.get(_FACADES, [])
    return next((facade for facade in facades if facade.owns(request.path)), None)
