"""The database: tasks, results, renderings and heartbeats."""
