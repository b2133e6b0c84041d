"""API keys in OpenAPI documents, for the dialog "Authorize" of Swagger UI and for generated clients."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from app.auth import OPEN_BLUEPRINTS

SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, as `Authorization: Bearer KEY`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key, without a scheme."},
}
ERRORS = {
    401: "A valid API key is needed.",
    429: "This API key may send 60 requests per minute; try again later.",
}


def add_security(document: dict[str, Any], are_needed: bool) -> dict[str, Any]:
    """Return the document with the security schemes.

    Without ``are_needed``, requests with and without a key are equally good.
    """
    components = document.get("components", {})
    schemes = SCHEMES | components.get("securitySchemes", {})
    optional: list[dict[str, list[str]]] = [] if are_needed else [{}]
    security = [*optional, *({name: []} for name in SCHEMES)]
    return document | {"components": components | {"securitySchemes": schemes}, "security": security}


def add_key_errors(document: dict[str, Any]) -> None:
    """Document the errors that a key can cause on each path that takes one."""
    for path in document["paths"].values():
        for method, operation in path.items():
            if method == "parameters":
                continue
            if set(operation["tags"]) & set(OPEN_BLUEPRINTS):
                operation["security"] = []
                continue
            for code, message in ERRORS.items():
                operation["responses"].setdefault(str(code), _describe_error(code, message))


def _describe_error(code: int, message: str) -> dict[str, Any]:
    phrase = HTTPStatus(code).phrase
    example = {"code": code, "status": phrase, "message": message}
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": phrase, "content": {"application/json": {"schema": schema, "example": example}}}
