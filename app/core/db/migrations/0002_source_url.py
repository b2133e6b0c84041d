"""Tasks whose recording is still to be downloaded: its URL, and an index over those few rows alone."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(migrator.add_column("task", "source_url", TextField(null=True)))
    db.execute_sql("CREATE INDEX task_source_url ON task (id) WHERE source_url IS NOT NULL")
