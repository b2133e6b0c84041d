"""gunicorn: a few processes with threads; one slow upload holds one thread and nobody else."""

import sys

from app.core import settings
from app.core.errors import SettingsError

try:
    _settings = settings.load()
except SettingsError as error:
    sys.exit(f"cannot start: {error}")

bind = f"{_settings.server.host}:{_settings.server.port}"
workers = _settings.server.processes
worker_class = "gthread"
threads = _settings.server.threads
graceful_timeout = 4
keepalive = 5
limit_request_line = 8190  # prompts may travel in the query
control_socket_disable = True  # two instances would fight over the one in the home folder
accesslog = "-"
# The path only: a query string may hold a token.
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s bytes %(M)s ms'
