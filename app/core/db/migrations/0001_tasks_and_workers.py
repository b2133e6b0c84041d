"""The first schema: tasks and the heartbeats of those who run them."""

from peewee import AutoField, CharField, DoubleField, IntegerField, Model, TextField


class Task(Model):
    id = AutoField()
    uuid = CharField(max_length=36, unique=True)
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    file_name = TextField(default="")
    params = TextField(default="{}")
    warnings = TextField(default="[]")
    result_type = CharField(max_length=16, null=True)
    result = TextField(null=True)
    error_code = CharField(max_length=64, null=True)
    error = TextField(null=True)
    stage = CharField(max_length=32, null=True)
    progress = DoubleField(default=0.0)
    language = CharField(max_length=16, null=True)
    audio_duration = DoubleField(null=True)
    duration = DoubleField(null=True)
    claim_no = IntegerField(default=0)
    crashes = IntegerField(default=0)
    holder = CharField(max_length=128, null=True)
    lease_expires = DoubleField(null=True)
    created_at = DoubleField()
    started_at = DoubleField(null=True)
    finished_at = DoubleField(null=True)
    files_purged_at = DoubleField(null=True)

    class Meta:
        table_name = "task"
        indexes = ((("status", "id"), False), (("task_type", "id"), False), (("files_purged_at", "finished_at"), False))


class Worker(Model):
    name = CharField(max_length=128, primary_key=True)
    devices = TextField(default="[]")
    started_at = DoubleField()
    heartbeat_at = DoubleField()

    class Meta:
        table_name = "worker"


def up(migrator, db):
    with db.bind_ctx([Task, Worker]):
        db.create_tables([Task, Worker])
