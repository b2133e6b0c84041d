"""When a task may run again whose last attempt was lost."""

from peewee import DoubleField


def up(migrator, db):
    migrator.migrate(migrator.add_column("task", "not_before", DoubleField(null=True)))
