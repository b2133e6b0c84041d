"""The models this server allows: their hub names and locations on disk."""
