"""The initial schema."""

from peewee import (
    AutoField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)


class Task(Model):
    id = AutoField()
    uuid = CharField(max_length=36, unique=True)
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    file_name = TextField(default="")
    params = TextField(default="{}")
    warnings = TextField(default="[]")
    result_type = CharField(max_length=16, null=True)
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
    not_before = DoubleField(null=True)
    source_url = TextField(null=True)
    owner = IntegerField(null=True)
    facade = CharField(max_length=16, null=True)
    lane = IntegerField(default=1)
    batch = CharField(max_length=36, null=True)
    fingerprint = CharField(max_length=64, null=True)
    waited_at = DoubleField(null=True)
    webhook = TextField(null=True)
    segments_changed = BooleanField(null=True)
    changes = IntegerField(default=0)

    class Meta:
        table_name = "task"
        indexes = (
            (("status", "lane", "id"), False),  # the queue
            (("status", "id"), False),  # GET /task?status=
            (("task_type", "id"), False),  # GET /task?task_type=
            (("task_type", "status", "id"), False),  # GET /task with both filters
            (("finished_at",), False),  # rows older than tasks.ttl
            (("files_purged_at", "finished_at"), False),  # files older than cache.ttl
            (("owner", "id"), False),  # GET /task with an API key
            (("batch", "id"), False),  # GET /batch/<identifier>
            (("fingerprint", "id"), False),  # an earlier task with the same recording and parameters
        )


class Result(Model):
    # By uuid: SQLite gives the row id of a deleted task to the next one, but a uuid is never used again.
    task = ForeignKeyField(Task, field="uuid", column_name="task", primary_key=True, on_delete="CASCADE")
    result = TextField()
    speaker_embeddings = TextField(null=True)

    class Meta:
        table_name = "result"


class Rendering(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", index=False, on_delete="CASCADE")
    format = CharField(max_length=16)
    version = IntegerField()
    content = BlobField()

    class Meta:
        table_name = "rendering"
        primary_key = CompositeKey("task", "format", "version")


class PartialSegment(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", index=False, on_delete="CASCADE")
    claim_no = IntegerField()
    number = IntegerField()
    segment = TextField()

    class Meta:
        table_name = "partial_segment"
        primary_key = CompositeKey("task", "claim_no", "number")


class IdempotencyKey(Model):
    owner = IntegerField()
    path = CharField(max_length=64)
    key = CharField(max_length=255)
    fingerprint = CharField(max_length=64)
    task = ForeignKeyField(Task, field="uuid", column_name="task", on_delete="CASCADE")
    created_at = DoubleField(index=True)

    class Meta:
        table_name = "idempotency_key"
        primary_key = CompositeKey("owner", "path", "key")


class Webhook(Model):
    # No foreign key: a message that is still to be delivered outlives a task that the purge deletes.
    id = AutoField()
    task = CharField(max_length=36, unique=True)
    receiver = TextField(null=True)
    host = CharField(max_length=255)
    body = TextField()
    status = CharField(max_length=16, default="PENDING")
    attempts = IntegerField(default=0)
    last_error = TextField(null=True)
    planned_at = DoubleField()
    due_at = DoubleField()
    holder = CharField(max_length=128, null=True)
    lease_expires = DoubleField(null=True)

    class Meta:
        table_name = "webhook"


class Upload(Model):
    token = CharField(max_length=64, primary_key=True)
    owner = IntegerField(null=True)
    digest = CharField(max_length=64)
    created_at = DoubleField(index=True)

    class Meta:
        table_name = "upload"


class Worker(Model):
    name = CharField(max_length=128, primary_key=True)
    devices = TextField(default="[]")
    started_at = DoubleField()
    heartbeat_at = DoubleField()

    class Meta:
        table_name = "worker"


def up(migrator, db):
    models = [Task, Result, Rendering, PartialSegment, IdempotencyKey, Webhook, Upload, Worker]
    with db.bind_ctx(models):
        db.create_tables(models)
    # Only the few tasks whose recording is still to be downloaded.
    db.execute_sql("CREATE INDEX task_source_url ON task (id) WHERE source_url IS NOT NULL")
    # Only the tasks of clients that wait for the answer.
    db.execute_sql("CREATE INDEX task_waited_at ON task (id) WHERE waited_at IS NOT NULL")
    # Only the messages that are still to be delivered.
    db.execute_sql("CREATE INDEX webhook_due_at ON webhook (due_at) WHERE receiver IS NOT NULL")
