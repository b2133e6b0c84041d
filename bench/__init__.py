"""Benchmarks: figures that the project promises, measured on the real processes; never part of the tests."""
