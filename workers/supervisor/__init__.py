"""The supervisor: it owns the devices and executes tasks."""
