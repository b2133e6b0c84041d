"""Tell an outage of the database from a value that it rejects."""

from __future__ import annotations

from peewee import (
    DatabaseError,
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NotSupportedError,
    ProgrammingError,
)

# the database is available, but rejects the values, such as a NUL in a text
REFUSALS = (DataError, IntegrityError, InternalError, NotSupportedError, ProgrammingError)


def is_outage(error: Exception) -> bool:
    """Whether the database is unavailable.

    Otherwise it has rejected a value.
    """
    return isinstance(error, DatabaseError | InterfaceError) and not isinstance(error, REFUSALS)
