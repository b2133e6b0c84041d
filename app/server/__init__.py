"""How gunicorn runs the web side: the worker that waits for slow clients without a thread, and its logs."""
