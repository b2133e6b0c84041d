"""Indexes for lists by kind and state at once, and for finding what ended long ago."""


def up(migrator, db):
    db.execute_sql("CREATE INDEX task_task_type_status_id ON task (task_type, status, id)")
    db.execute_sql("CREATE INDEX task_finished_at ON task (finished_at)")
