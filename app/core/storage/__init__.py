"""Recordings and stems on disk: paths and removal."""
