"""Benchmarks: measure the figures that the project promises, on real processes; not part of the tests."""
