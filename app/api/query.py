"""Parse query parameters strictly.

Unknown or repeated ones are answered with 422.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import parse_qsl

from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict

from app.http_errors import reject
from app.schemas.fields import drop_empty
from app.schemas.names import explain_unknown

CACHE_BUSTER = "_"  # jQuery and others add it to each GET, so that caches do not answer
TWICE = "Given more than once."


class QueryParser(FlaskParser):
    """Accept each parameter of the schema at most once, except those in ``repeatable``.

    An empty value means the default.
    """

    # Empty: the schema rejects unknown parameters. By default, webargs ignores them.
    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}
    repeatable: Collection[str] = ()

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        given = {
            name: drop_empty(values, schema.fields.get(name))
            for name, values in parse_query(req).lists()
            if name != CACHE_BUSTER
        }
        repeated = {name: [TWICE] for name, values in given.items() if len(values) > 1 and name not in self.repeatable}
        if repeated:
            raise ValidationError(repeated)
        return {name: values if name in self.repeatable else values[0] for name, values in given.items() if values}

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        reject(describe_errors(error, schema, schema.fields))


class QueryBlueprint(Blueprint):
    """A blueprint that parses its arguments with QueryParser."""

    ARGUMENTS_PARSER = QueryParser()


def describe_errors(error: ValidationError, schema: Schema, known: Collection[str]) -> dict[str, list[str]]:
    """Return the messages of each parameter.

    Those of unknown parameters name the ``known`` ones that may be meant.
    """
    messages: dict[str, list[str]] = error.messages_dict.get("query", error.messages_dict)
    unknown = [schema.error_messages["unknown"]]
    return {name: [explain_unknown(name, known)] if say == unknown else say for name, say in messages.items()}


def parse_query(req: Any) -> MultiDict[str, str]:
    """Parse the query string.

    Bytes that are not UTF-8 become lone surrogates, which every field rejects. Werkzeug's own parser would replace
    them silently, or fail.
    """
    text = req.query_string.decode("utf-8", "surrogateescape")
    return MultiDict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
