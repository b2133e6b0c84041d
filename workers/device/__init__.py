"""A device process: one per GPU or CPU slot, with its models loaded. No database, no HTTP."""
