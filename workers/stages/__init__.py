"""The stages of the pipelines: one model call each.

They import the speech libraries, so only device processes import them.
"""
