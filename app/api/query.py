"""Parse query parameters strictly.

Unknown or repeated ones are answered with 422.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict

from app.http_errors import reject


class QueryParser(FlaskParser):
    """Accept each parameter of the schema at most once."""

    # Empty: the schema rejects unknown parameters. By default, webargs ignores them.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        given = parse_query(req)
        repeated = {name: ["Given more than once."] for name, values in given.lists() if len(values) > 1}
        if repeated:
            raise ValidationError(repeated)
        return given.to_dict()

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages = error.messages.get("query", error.messages) if isinstance(error.messages, dict) else {}
        reject(messages)


class QueryBlueprint(Blueprint):
    """A blueprint that parses its arguments with QueryParser."""

    ARGUMENTS_PARSER = QueryParser()


def parse_query(req: Any) -> MultiDict[str, str]:
    """Parse the query string.

    Bytes that are not UTF-8 become lone surrogates, which every field rejects. Werkzeug's own parser would replace
    them silently, or fail.
    """
    text = req.query_string.decode("utf-8", "surrogateescape")
    return MultiDict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
