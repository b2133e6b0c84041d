"""gunicorn's settings: a few processes with threads.

Slow clients wait without a thread, or hold at most half of the threads (app/server).
"""

import os
import sys

from app.core import settings
from app.core.errors import SettingsError

try:
    _settings = settings.load()
except SettingsError as error:
    sys.exit(f"cannot start: {error}")

HONCHO_SECONDS = 4  # honcho kills what still runs 5 s after a Ctrl-C

bind = f"{_settings.server.host}:{_settings.server.port}"
workers = _settings.server.processes
worker_class = "app.server.worker.PatientWorker"
threads = _settings.server.threads
graceful_timeout = _settings.server.graceful_timeout
if "HONCHO_PROCESS_NAME" in os.environ:
    graceful_timeout = min(graceful_timeout, HONCHO_SECONDS)
keepalive = 5
limit_request_line = 0  # prompts may travel in the query; app/server/worker.py bounds the whole head
control_socket_disable = True  # two instances would fight over the one in the home folder
logger_class = "app.server.logs.EscapingLogger"
accesslog = "-"
access_log_format = '%(h)s "%(m)s %(U)s" %(s)s %(b)s bytes %(M)s ms%(K)s'
