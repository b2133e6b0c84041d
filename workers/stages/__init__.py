"""The stages of the pipelines, one model call each, and their parts.

They import the speech libraries, so only device processes import them.
"""
