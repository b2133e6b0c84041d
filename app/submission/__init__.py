"""Parse a submission, store its upload, commit its task."""
