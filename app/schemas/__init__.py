"""Requests and responses as marshmallow schemas.

One file per blueprint.
"""
