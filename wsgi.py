"""The WSGI entry point: read the settings, build the web side."""

import sys

from peewee import DatabaseError

from app.core import settings
from app.core.errors import SettingsError
from app.factory import create_app

try:
    app = create_app(settings.load())
except SettingsError as error:
    sys.exit(f"cannot start: {error}")
except DatabaseError as error:
    sys.exit(f"cannot start: the database is not available: {error}")
