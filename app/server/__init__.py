"""How gunicorn runs the web app: worker and logs."""
