"""The command ``speech``: a client of the service.

It is installed without the service (pyproject.toml), as the package ``speech_cli``: modules here import only each other,
relatively, and requests and tqdm.
"""
