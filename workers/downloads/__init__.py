"""Download recordings that clients name by URL."""
