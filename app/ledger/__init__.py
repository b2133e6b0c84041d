"""The ledger: one table of tasks that is the queue, the state machine and the result, and one of heartbeats; for both sides."""
