"""Swagger UI and ReDoc from this server alone: the bundles come out of the offapi package, nothing from outside."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Response, make_response, redirect, render_template, send_from_directory, url_for
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

blueprint = Blueprint("docs", __name__, template_folder="../templates")

POLICY = (
    "default-src 'self'; img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; worker-src 'self' blob:; child-src blob:"
)
DAY = 86400


@blueprint.get("/")
def index() -> ResponseReturnValue:
    return redirect(url_for("docs.swagger"))


@blueprint.get("/docs")
def swagger() -> Response:
    return _page("swagger.html")


@blueprint.get("/redoc")
def redoc() -> Response:
    return _page("redoc.html")


@blueprint.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    if not name.endswith((".js", ".css")):  # the rest of that folder is the package's code
        raise NotFound
    return send_from_directory(bundles(), name, max_age=DAY)


def bundles() -> Path:
    """The folder of offapi's bundles; the package itself is not imported, as that would read all of them into memory."""
    spec = find_spec("offapi")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the offapi package is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0])


def _page(template: str) -> Response:
    response = make_response(render_template(template))
    response.headers["Content-Security-Policy"] = POLICY
    return response
