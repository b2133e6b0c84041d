"""python -m app.keys: create, list and revoke API keys."""
