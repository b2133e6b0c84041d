"""The initial schema."""

import uuid

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
    PostgresqlDatabase,
    TextField,
)


class Task(Model):
    id = AutoField()
    uuid = CharField(max_length=36, unique=True)
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    file_name = TextField(default="")
    params = TextField(default="{}")
    work = TextField(default="[]")
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
    lost_nodes = IntegerField(default=0)
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
    media_type = CharField(max_length=32, null=True)
    segments_changed = BooleanField(null=True)
    speaker_names = TextField(default="{}")
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
            (("batch", "id"), False),  # GET /batch/<identifier>
            (("fingerprint", "id"), False),  # an earlier task with the same recording and parameters
        )


class Result(Model):
    # By uuid: SQLite gives the row id of a deleted task to the next one, but a uuid is never used again.
    task = ForeignKeyField(Task, field="uuid", column_name="task", primary_key=True, on_delete="CASCADE")
    result = TextField()
    speaker_embeddings = TextField(null=True)
    speaker_turns = TextField(null=True)

    class Meta:
        table_name = "result"


class Revision(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", index=False, on_delete="CASCADE")
    number = IntegerField()
    content = IntegerField()
    changes = TextField()
    changed = IntegerField()
    created_at = DoubleField()

    class Meta:
        table_name = "revision"
        primary_key = CompositeKey("task", "number")


class EditedResult(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", primary_key=True, on_delete="CASCADE")
    revision = IntegerField()
    result = TextField()

    class Meta:
        table_name = "edited_result"


class GivenTranscript(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", primary_key=True, on_delete="CASCADE")
    transcript = TextField()

    class Meta:
        table_name = "given_transcript"


class Rendering(Model):
    task = ForeignKeyField(Task, field="uuid", column_name="task", index=False, on_delete="CASCADE")
    format = CharField(max_length=16)
    version = IntegerField()
    revision = IntegerField(default=0)
    content = BlobField()

    class Meta:
        table_name = "rendering"
        primary_key = CompositeKey("task", "format", "version", "revision")


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


class ApiKey(Model):
    id = AutoField()
    name = CharField(max_length=64, unique=True)
    digest = CharField(max_length=64, unique=True)
    is_admin = BooleanField(default=False)
    max_queued = IntegerField(null=True)
    max_audio_hours_per_day = DoubleField(null=True)
    requests_per_minute = IntegerField(null=True)
    created_at = DoubleField()
    revoked_at = DoubleField(null=True)
    next_request_at = DoubleField(null=True)

    class Meta:
        table_name = "api_key"


class AudioUsage(Model):
    owner = IntegerField()
    hour = IntegerField()
    seconds = DoubleField()

    class Meta:
        table_name = "audio_usage"
        primary_key = CompositeKey("owner", "hour")


class TaskTotal(Model):
    task_type = CharField(max_length=32)
    status = CharField(max_length=16)
    error_code = CharField(max_length=64)
    wait_le = DoubleField()
    run_le = DoubleField()
    tasks = IntegerField()
    wait_seconds = DoubleField()
    run_seconds = DoubleField()
    audio_seconds = DoubleField()

    class Meta:
        table_name = "task_total"
        primary_key = CompositeKey("task_type", "status", "error_code", "wait_le", "run_le")


class RequestTotal(Model):
    facade = CharField(max_length=16)
    method = CharField(max_length=8)
    status = IntegerField()
    le = DoubleField()
    requests = IntegerField()
    seconds = DoubleField()

    class Meta:
        table_name = "request_total"
        primary_key = CompositeKey("facade", "method", "status", "le")


class Rate(Model):
    task_type = CharField(max_length=32)
    stage = CharField(max_length=32)
    model = TextField()
    device = CharField(max_length=16)
    seconds = DoubleField()
    amount = DoubleField()

    class Meta:
        table_name = "rate"
        primary_key = CompositeKey("task_type", "stage", "model", "device")


class Session(Model):
    digest = CharField(max_length=64, primary_key=True)
    key_digest = CharField(max_length=64)
    expires_at = DoubleField(index=True)

    class Meta:
        table_name = "session"


class Identity(Model):
    identifier = CharField(max_length=32, primary_key=True)

    class Meta:
        table_name = "identity"


# --- Triggers that count each ended task, in the transaction that ends or deletes it ---

ENDS = "NEW.status IN ('COMPLETED', 'FAILED', 'CANCELLED') AND OLD.status IN ('QUEUED', 'IN_PROGRESS')"
IS_DELETED_EARLY = "OLD.status IN ('QUEUED', 'IN_PROGRESS')"  # its deletion cancels the task
BOUNDS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)  # of the histograms, in seconds
DAY_HOURS = 24


def round_up(seconds, infinity):
    """SQL for the bound of a histogram's bucket; 0 without a value."""
    cases = " ".join(f"WHEN {seconds} <= {bound} THEN {bound}" for bound in BOUNDS)
    return f"CASE WHEN {seconds} IS NULL THEN 0 {cases} ELSE {infinity} END"


def count_ended(row, status, ended, infinity, to_hour):
    """SQL statements that add the task ``row`` (NEW or OLD) to the totals.

    ``status`` and ``ended`` are SQL expressions. ``to_hour`` writes the expression for the hour of a time.
    """
    wait = f"({row}.started_at - {row}.created_at)"
    run = f"coalesce({row}.duration, {ended} - {row}.started_at)"
    seconds = {"wait_seconds": wait, "run_seconds": run, "audio_seconds": f"{row}.audio_duration"}
    sums = ", ".join(f"CASE WHEN {value} > 0 THEN {value} ELSE 0 END" for value in seconds.values())
    added = ", ".join(f"{name} = task_total.{name} + excluded.{name}" for name in seconds)
    hour = to_hour(ended)
    return f"""
        INSERT INTO task_total (task_type, status, error_code, wait_le, run_le, tasks, {", ".join(seconds)})
        VALUES ({row}.task_type, {status}, coalesce({row}.error_code, ''),
            {round_up(wait, infinity)}, {round_up(run, infinity)}, 1, {sums})
        ON CONFLICT (task_type, status, error_code, wait_le, run_le)
        DO UPDATE SET tasks = task_total.tasks + 1, {added};
        DELETE FROM audio_usage WHERE owner = {row}.owner AND hour < {hour} - {DAY_HOURS};
        INSERT INTO audio_usage (owner, hour, seconds)
        SELECT {row}.owner, {hour}, {row}.audio_duration
        WHERE {row}.owner IS NOT NULL AND {row}.audio_duration > 0
        ON CONFLICT (owner, hour) DO UPDATE SET seconds = audio_usage.seconds + excluded.seconds;
    """


def count_on_sqlite(db):
    def to_hour(moment):
        return f"CAST({moment} / 3600 AS INTEGER)"

    clock = "((julianday('now') - 2440587.5) * 86400.0)"
    ended = count_ended("NEW", "NEW.status", "NEW.finished_at", "9e999", to_hour)
    deleted = count_ended("OLD", "'CANCELLED'", clock, "9e999", to_hour)
    db.execute_sql(f"CREATE TRIGGER task_ended AFTER UPDATE OF status ON task WHEN {ENDS} BEGIN {ended} END")
    db.execute_sql(f"CREATE TRIGGER task_deleted AFTER DELETE ON task WHEN {IS_DELETED_EARLY} BEGIN {deleted} END")


def count_on_postgres(db):
    def to_hour(moment):
        return f"floor({moment} / 3600)::integer"

    clock = "EXTRACT(EPOCH FROM clock_timestamp())::float8"
    infinity = "'Infinity'::float8"
    ended = count_ended("NEW", "NEW.status", "NEW.finished_at", infinity, to_hour)
    deleted = count_ended("OLD", "'CANCELLED'", clock, infinity, to_hour)
    for name, statements in (("count_ended_task", ended), ("count_deleted_task", deleted)):
        # Transactions take turns here, at their commit (DEFERRED below), and hold all other locks already: no deadlock.
        body = f"BEGIN PERFORM pg_advisory_xact_lock(7316203); {statements} RETURN NULL; END"
        db.execute_sql(f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $${body}$$")
    deferred = "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"
    db.execute_sql(
        f"CREATE CONSTRAINT TRIGGER task_ended AFTER UPDATE OF status ON task {deferred} WHEN ({ENDS}) "
        "EXECUTE FUNCTION count_ended_task()"
    )
    db.execute_sql(
        f"CREATE CONSTRAINT TRIGGER task_deleted AFTER DELETE ON task {deferred} WHEN ({IS_DELETED_EARLY}) "
        "EXECUTE FUNCTION count_deleted_task()"
    )


def up(migrator, db):
    models = [Task, Result, Rendering, PartialSegment, IdempotencyKey, Webhook, Upload, Worker]
    models += [
        Revision,
        EditedResult,
        GivenTranscript,
        ApiKey,
        AudioUsage,
        TaskTotal,
        RequestTotal,
        Rate,
        Session,
        Identity,
    ]
    with db.bind_ctx(models):
        db.create_tables(models)
        Identity.insert(identifier=uuid.uuid4().hex).execute()
    # Only the tasks that may be claimed, in the order of the queue: claims.py. It stays small however many tasks have ended.
    # SQLite takes it for the status in front.
    db.execute_sql("CREATE INDEX task_ready ON task (status, lane, id) WHERE status = 'QUEUED' AND source_url IS NULL")
    # Only the few tasks whose recording is still to be downloaded.
    db.execute_sql("CREATE INDEX task_source_url ON task (id) WHERE source_url IS NOT NULL")
    # Of these, only the tasks whose run crashed: has_lone.
    db.execute_sql("CREATE INDEX task_crashed ON task (status, lane, id) WHERE status = 'QUEUED' AND crashes > 0")
    # Only the tasks of clients that wait for the answer.
    db.execute_sql("CREATE INDEX task_waited_at ON task (id) WHERE waited_at IS NOT NULL")
    # Only the messages that are still to be delivered.
    db.execute_sql("CREATE INDEX webhook_due_at ON webhook (due_at) WHERE receiver IS NOT NULL")
    # Only the tasks of API keys: GET /task of one key, and how many of its tasks wait.
    db.execute_sql("CREATE INDEX task_owner_id ON task (owner, id) WHERE owner IS NOT NULL")
    db.execute_sql("CREATE INDEX task_owner_status ON task (owner, status, id) WHERE owner IS NOT NULL")
    (count_on_postgres if isinstance(db, PostgresqlDatabase) else count_on_sqlite)(db)
