"""The HTTP API: one blueprint per file.

A view says what happens; the modules that it calls say how.
"""
