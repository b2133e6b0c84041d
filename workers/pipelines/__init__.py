"""One file per kind of task: ``run(run)`` leads it through its stages and returns (result_type, JSON text)."""
