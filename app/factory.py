"""Create the web application from its settings."""

from __future__ import annotations

from flask import Flask, request
from marshmallow import ValidationError
from werkzeug.middleware.proxy_fix import ProxyFix

from app import cross_site, openapi
from app.api import (
    again,
    alignment,
    batch,
    batches,
    bgm_separation,
    console,
    detect_language,
    docs,
    errors,
    events,
    files,
    health,
    listening,
    metrics,
    models,
    results,
    revisions,
    selection,
    speaker_names,
    tasks,
    transcription,
    vad,
)
from app.api.asr.contract import ASR
from app.api.assemblyai import facade as assemblyai
from app.api.openai import facade as openai
from app.auth import require_keys
from app.core.configfile import locate_key
from app.core.db import connection, identity
from app.core.errors import SettingsError
from app.core.logs import configure_logging
from app.core.params import TranscriptionParams
from app.core.settings import Settings
from app.core.storage.opening import open_storage
from app.current import DEFAULTS, SETTINGS
from app.facade import Facade, register_facade
from app.metrics.requests import count_requests
from app.schemas.detect_language import DetectedLanguage
from app.schemas.speaker_names import SpeakerNames
from app.schemas.task import Segment, Stems
from app.schemas.transcription import TranscriptionParameters
from app.submission.admission import limit_submissions
from app.submission.uploads import UploadRequest, discard_parts
from app.waiting import configure_waiting

MEBIBYTE = 1024 * 1024
FORM_FIELDS_BYTES = MEBIBYTE
FACADES: tuple[Facade, ...] = (openai.FACADE, ASR, assemblyai.FACADE)
FORM_FIELD_BYTES = 256 * 1024


class SpeechFlask(Flask):
    request_class = UploadRequest


def create_app(settings: Settings, patience: float = connection.BUSY_TIMEOUT) -> Flask:
    """Create the application; open the database.

    ``patience``: seconds that a request waits for a lock on SQLite. Raises SettingsError for settings that cannot be used.
    """
    configure_logging()
    app = SpeechFlask(__name__, static_folder=None)  # api/console.py serves the static files
    app.extensions[SETTINGS] = settings
    # No redirects for slashes: a client would have to send its upload twice.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    # The limit on uploads is for the file; leave room for the other fields of the form.
    app.config["MAX_CONTENT_LENGTH"] = settings.limits.max_upload_mb * MEBIBYTE + FORM_FIELDS_BYTES
    app.config["MAX_FORM_MEMORY_SIZE"] = FORM_FIELD_BYTES
    # Keep the order of the fields: it is the one that the documentation shows.
    app.json.sort_keys = False  # type: ignore[attr-defined]
    storage = open_storage(settings)
    storage.prepare()
    connection.connect(settings.db_url, patience)
    storage.claim(identity.read())
    connection.database.close()  # gunicorn's threads each open their own

    openapi.configure_openapi(app)
    api = errors.SpeechApi(app)
    for schema in (
        Segment,
        Stems,
        DetectedLanguage,
        SpeakerNames,
    ):  # apispec finds those that are nested, but not these references
        api.spec.components.schema(schema.__name__, schema=schema)
    submitting = (transcription, vad, bgm_separation, detect_language, alignment, batch, again)
    submissions = tuple(each.blueprint for each in submitting)
    reading = (
        tasks.blueprint,
        speaker_names.blueprint,
        events.blueprint,
        results.blueprint,
        files.blueprint,
        listening.blueprint,
        batches.blueprint,
        selection.blueprint,
        revisions.blueprint,
    )
    for blueprint in (*submissions, *reading, models.blueprint, health.blueprint, metrics.blueprint):
        api.register_blueprint(blueprint)
    app.register_blueprint(docs.blueprint)
    if settings.console.enabled:
        console.register_console(app)
    errors.register_error_handlers(app, api)
    app.extensions[DEFAULTS] = _load_defaults(app, settings)
    count_requests(app)
    cross_site.protect(app)
    _prepare_requests(app)
    require_keys(app)
    for facade in FACADES:
        register_facade(app, facade)
    limit_submissions(app, {each.name for each in submissions} | {facade.blueprint.name for facade in FACADES})
    configure_waiting(app)
    _trust_proxies(app, settings.server.trusted_proxies)
    return app


def _load_defaults(app: Flask, settings: Settings) -> TranscriptionParams:
    # An empty request takes all values from config.yaml: a wrong one stops the start instead of failing each request.
    with app.app_context():
        try:
            defaults: TranscriptionParams = TranscriptionParameters().load({})
        except ValidationError as error:
            name, messages = next(iter(error.messages_dict.items()))
            where = locate_key(settings.transcription, name)
            raise SettingsError(f"{where}: transcription.{name}: {' '.join(messages)}") from error
    return defaults


def _prepare_requests(app: Flask) -> None:
    @app.before_request
    def limit_body() -> None:
        if request.mimetype != "multipart/form-data":  # any other body is parsed in memory
            request.max_content_length = FORM_FIELDS_BYTES

    @app.before_request
    def open_database() -> None:
        if request.endpoint not in ("Health.health", "Health.live"):  # the process is alive even without a database
            connection.ensure_connected()

    @app.teardown_request
    def clean_up(error: BaseException | None) -> None:
        discard_parts(request.environ)


def _trust_proxies(app: Flask, count: int) -> None:
    """Trust the headers of the last ``count`` proxies.

    They give the client's address, the scheme, the host and the prefix.
    """
    if count:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count
        )
