"""The supervisor: the process that owns the devices and moves tasks through their states."""
