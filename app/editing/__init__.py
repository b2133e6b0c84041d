"""Edit transcripts: give edited text its times, apply edits, find older revisions."""
