"""Recordings and stems on disk: paths, durable writes, free space, removal."""
