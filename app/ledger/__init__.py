"""The ledger: one table of tasks that is the queue, the state machine and the result; imported by both sides."""
