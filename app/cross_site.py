"""Refuse requests from web pages of other sites.

Without API keys, any page that a user visits could send the service requests.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from urllib.parse import urlsplit

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import BadRequest, Forbidden

from app.core.settings import Server
from app.current import get_settings

READING = ("GET", "HEAD", "OPTIONS")
EXPOSED = (
    "Content-Disposition, Content-Range, Location, Preference-Applied, Retry-After, X-Request-ID, X-Speech-Task, "
    "X-Speech-Warnings"
)
PREFLIGHT_SECONDS = "600"
LOCAL_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.?(?::\d+)?", re.IGNORECASE)  # a name without a dot


def protect(app: Flask) -> None:
    """Refuse foreign hosts with 400, foreign pages with 403.

    Pages of ``server.cors_origins`` are answered, with CORS headers.
    """
    server = get_settings(app).server
    names = list_own_names(server)
    app.before_request(lambda: _check_host(names))
    app.before_request(lambda: _check_origin(server))
    app.after_request(lambda response: _allow_origin(response, server))


def list_own_names(server: Server) -> frozenset[str]:
    """Return the host names of this server.

    They are in lower case; a leading dot stands for all names below.
    """
    machine = socket.gethostname().lower()
    names = {"localhost", ".localhost", machine, f"{machine}.local", server.host, *server.allowed_hosts}
    return frozenset(name.lower().strip("[]") for name in names)


def is_own_host(host: str, names: frozenset[str]) -> bool:
    """Whether a request's ``Host`` names this server.

    Every IP address passes, and every name without a dot, such as that of a container: DNS rebinding needs a name whose
    address the attacker changes, which is one below a domain. Flask's TRUSTED_HOSTS compares with a list and cannot
    express that.
    """
    name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
    if "*" in names or name in names or _is_address(name) or LOCAL_HOST.fullmatch(host):
        return True
    return any(entry.startswith(".") and name.endswith(entry) for entry in names)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _check_host(names: frozenset[str]) -> None:
    host = request.headers.get("Host", "")
    try:
        is_known = not host or is_own_host(host, names)  # no browser sends a request without one
    except ValueError:
        is_known = False
    if not is_known:
        raise BadRequest(f"The host name {host!r:.200} is not allowed; add it to server.allowed_hosts in config.yaml.")


def _check_origin(server: Server) -> ResponseReturnValue | None:
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    is_listed = origin in server.cors_origins
    # Answer a preflight here: Flask's own answer to OPTIONS has no CORS headers.
    if request.method == "OPTIONS" and is_listed and "Access-Control-Request-Method" in request.headers:
        return _answer_preflight()
    if request.method in READING or is_listed or _is_own_page(origin, site):
        return None
    say = "Requests from other sites must not change data; add the page's origin to server.cors_origins in config.yaml."
    raise Forbidden(f"{say} The origin is {origin!r:.200}." if origin else say)


def _is_own_page(origin: str | None, site: str | None) -> bool:
    """Whether the request comes from no other site.

    Clients other than browsers send neither header.
    """
    if site is not None:  # scripts cannot set it, and it holds behind proxies that change Host
        return site in ("same-origin", "none")
    return origin is None or origin.partition("://")[2].lower() == request.headers.get("Host", "").lower()


def _answer_preflight() -> ResponseReturnValue:
    headers = {
        "Access-Control-Allow-Methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "Access-Control-Allow-Headers": request.headers.get("Access-Control-Request-Headers", ""),
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
    }
    return "", 204, headers


def _allow_origin(response: Response, server: Server) -> Response:
    if server.cors_origins:
        response.vary.add("Origin")  # a cache must not serve one origin's response to another
        origin = request.headers.get("Origin")
        if origin in server.cors_origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
    return response
