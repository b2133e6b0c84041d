"""Accept a recording: parse the request, store the upload, commit the task."""
