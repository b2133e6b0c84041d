"""Recordings on their way in: never decoded here, only stored."""
