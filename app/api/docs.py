"""Serve Swagger UI and ReDoc offline.

Their bundles come from the offapi package.
"""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

from flask import (
    Blueprint,
    Response,
    current_app,
    make_response,
    redirect,
    render_template,
    request,
    send_from_directory,
    url_for,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from app.core.db import api_keys
from app.current import get_settings
from app.facade import list_facades
from app.security_schemes import add_security

blueprint = Blueprint("docs", __name__, template_folder="../templates")

# Both viewers create inline styles, and the pages start them with inline scripts; ReDoc's search runs in a blob: worker.
POLICY = (
    "default-src 'self'; img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'; "
    "script-src 'self' 'unsafe-inline'; worker-src 'self' blob:; child-src blob:"
)
DAY = 86400


@blueprint.get("/")
def index() -> ResponseReturnValue:
    """Send browsers to the console, and programs to the documentation, as before there was a console."""
    is_browser = "text/html" in request.accept_mimetypes.values()
    is_shown = is_browser and get_settings().console.enabled
    response = redirect(url_for("console.show" if is_shown else "docs.swagger"))
    response.vary.add("Accept")
    return response


@blueprint.get("/docs")
def swagger() -> Response:
    return _render_page("swagger.html")


@blueprint.get("/redoc")
def redoc() -> Response:
    return _render_page("redoc.html")


@blueprint.get("/openapi/<name>.json")
def describe_facade(name: str) -> Response:
    """The OpenAPI document of another service's contract."""
    facade = next((facade for facade in list_facades() if facade.name == name), None)
    if facade is None:
        raise NotFound(f"There is no document {name!r:.40}.")
    document = add_security(facade.document(), api_keys.are_needed())
    return current_app.response_class(json.dumps(document, indent=2), mimetype="application/json")


@blueprint.get("/docs/assets/<name>")
def asset(name: str) -> Response:
    if not name.endswith((".js", ".css")):  # the folder also holds the package's Python code
        raise NotFound
    return send_from_directory(bundles_folder(), name, max_age=DAY)


def bundles_folder() -> Path:
    """Return the folder of offapi's bundles.

    offapi is not imported: that would read all bundles into memory.
    """
    spec = find_spec("offapi")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the offapi package is not installed: pip install -r requirements.txt")
    return Path(spec.submodule_search_locations[0])


def _render_page(template: str) -> Response:
    # Relative addresses also hold behind a proxy that removes a prefix without saying so.
    root = "../" if request.path.endswith("/") else "./"
    response = make_response(render_template(template, root=root, facades=[facade.name for facade in list_facades()]))
    response.headers["Content-Security-Policy"] = POLICY
    return response
