"""The console: one page for people, and the files and the cookie that it needs."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    make_response,
    render_template,
    request,
    send_file,
    send_from_directory,
)
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound, UnprocessableEntity

from app.assets import Assets, read_assets
from app.auth import SESSION_COOKIE, make_unauthorized
from app.core.db import api_keys, sessions
from app.current import get_settings

blueprint = Blueprint("console", __name__, template_folder="../templates")

ASSETS = "speech.assets"
YEAR = 365 * 86400
SAMPLE = "conversation.flac"
# Names of libraries in the console's modules; wavesurfer's style is added by a script, which needs the nonce.
LIBRARIES = {
    "preact": "preact.mjs",
    "preact/hooks": "hooks.mjs",
    "htm": "htm.module.js",
    "wavesurfer.js": "wavesurfer.esm.js",
    "wavesurfer.js/timeline": "timeline.esm.js",
}
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def register_console(app: Flask) -> None:
    """Serve the console, with the files that are there now."""
    app.extensions[ASSETS] = read_assets()
    app.register_blueprint(blueprint)


@blueprint.get("/console")
@blueprint.get("/console/task/<identifier>")
def show(identifier: str = "") -> Response:
    """Answer the page; its scripts read the address, and ask for the data."""
    # Relative addresses also hold behind a proxy that removes a prefix without saying so.
    root = "../" * (request.path.count("/") - 1) or "./"
    files, nonce = _get_assets(), secrets.token_urlsafe(16)
    assets = f"{root}console/assets/{files.digest}/"
    imports = {name: f"{assets}vendor/{file}" for name, file in LIBRARIES.items()}
    page = render_template(
        "console.html",
        root=root,
        assets=assets,
        styles=files.list_styles(),
        imports=imports,
        nonce=nonce,
        is_open=not api_keys.are_needed(),
        has_sample=_find_sample().is_file(),
    )
    response = make_response(page)
    response.headers.update(HEADERS | {"Content-Security-Policy": POLICY.format(nonce=nonce)})
    return response


@blueprint.get("/console/assets/<digest>/<path:name>")
def asset(digest: str, name: str) -> Response:
    """Serve one file, which never changes at this address."""
    files = _get_assets()
    if digest != files.digest or name not in files.types:
        raise NotFound("There is no such file, or it is of another version of the console; load the page again.")
    if request.accept_encodings.quality("gzip"):
        response = Response(files.packed[name], mimetype=files.types[name], headers={"Content-Encoding": "gzip"})
    else:
        response = send_from_directory(files.folder, name, mimetype=files.types[name], max_age=YEAR)
    response.vary.add("Accept-Encoding")
    response.cache_control.public, response.cache_control.max_age, response.cache_control.immutable = True, YEAR, True
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@blueprint.get("/console/sample")
def send_sample() -> Response:
    """Send a recording to try the page with, which only the mini models bring."""
    path = _find_sample()
    if not path.is_file():
        raise NotFound("These models bring no sample recording.")
    return send_file(path, mimetype="audio/flac")


@blueprint.post("/console/session")
def sign_in() -> ResponseReturnValue:
    """Exchange an API key, ``{"key": "..."}``, for a cookie."""
    sent: Any = request.get_json()
    if not isinstance(sent, dict) or not isinstance(sent.get("key"), str) or sent.keys() != {"key"}:
        raise UnprocessableEntity('Send the key as {"key": "..."}.')
    key = api_keys.find([sent["key"].strip()])
    if key is None:
        raise make_unauthorized()
    seconds = get_settings().console.session_hours * 3600
    response = current_app.response_class(status=204)
    response.set_cookie(
        SESSION_COOKIE,
        sessions.create(key, seconds),
        max_age=seconds,
        path=request.script_root or "/",
        secure=request.is_secure,
        httponly=True,
        samesite="Strict",
    )
    return response


@blueprint.delete("/console/session")
def sign_out() -> ResponseReturnValue:
    """End the browser's session."""
    sessions.remove(request.cookies.get(SESSION_COOKIE, ""))
    response = current_app.response_class(status=204)
    response.delete_cookie(SESSION_COOKIE, path=request.script_root or "/")
    return response


def _find_sample() -> Path:
    return get_settings().models.path / "samples" / SAMPLE


def _get_assets() -> Assets:
    assets: Assets = current_app.extensions[ASSETS]
    return assets
