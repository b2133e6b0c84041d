"""Send the messages about ended tasks."""
