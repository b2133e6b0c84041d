"""A vector for each voice of a diarized recording, as JSON text."""

from peewee import TextField


def up(migrator, db):
    migrator.migrate(migrator.add_column("task", "speaker_embeddings", TextField(null=True)))
