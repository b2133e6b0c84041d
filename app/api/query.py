"""Query parameters of the reading endpoints: each one known and given once; what is wrong is named in a 422."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qsl

from flask_smorest import Blueprint
from marshmallow import Schema, ValidationError
from webargs.flaskparser import FlaskParser
from werkzeug.datastructures import MultiDict

from app.http_errors import reject


class QueryParser(FlaskParser):
    """Each parameter exactly once; the schema says which there are."""

    DEFAULT_UNKNOWN_BY_LOCATION: dict[str, str | None] = {}

    def load_querystring(self, req: Any, schema: Schema) -> Any:
        given = query(req)
        repeated = {name: ["Given more than once."] for name, values in given.lists() if len(values) > 1}
        if repeated:
            raise ValidationError(repeated)
        return given.to_dict()

    def handle_error(self, error: ValidationError, req: Any, schema: Any, **kwargs: Any) -> Any:
        messages = error.messages.get("query", error.messages) if isinstance(error.messages, dict) else {}
        reject(messages)


class QueryBlueprint(Blueprint):
    """A blueprint whose arguments come from the query."""

    ARGUMENTS_PARSER = QueryParser()


def query(req: Any) -> MultiDict[str, str]:
    """The query, whatever is not UTF-8 as lone surrogates, which every field refuses; werkzeug would guess or fail."""
    text = req.query_string.decode("utf-8", "surrogateescape")
    return MultiDict(parse_qsl(text, keep_blank_values=True, errors="surrogateescape"))
