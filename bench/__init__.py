"""Benchmarks: measure the figures that the project promises, on real processes.

Not part of the tests.
"""
