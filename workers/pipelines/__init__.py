"""One file per kind of task: ``run(work)`` leads it through its stages and returns (result_type, JSON text)."""
