"""A device process: it runs models on one GPU or CPU slot.

It has no access to the database and no HTTP server.
"""
