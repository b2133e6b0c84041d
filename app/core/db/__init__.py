"""The database: tasks, results, heartbeats and the moves between a task's states."""
