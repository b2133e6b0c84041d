"""Find, download, load and check models."""
