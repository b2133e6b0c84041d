"""GET /metrics: the service's state for Prometheus."""

from __future__ import annotations

from flask import Response, current_app, request
from flask_smorest import Blueprint
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from app.auth import require_admin
from app.current import get_settings
from app.metrics.collector import ServiceCollector
from app.metrics.requests import get_counter
from app.openapi import document_errors

blueprint = Blueprint("Metrics", __name__, description="For Prometheus.")

TEXT = {"schema": {"type": "string"}, "example": 'speech_tasks_total{task_type="vad",status="COMPLETED"} 5.0\n'}
FORMATS = dict.fromkeys(("text/plain", "application/openmetrics-text"), TEXT)


@blueprint.route("/metrics", methods=["GET"])
@blueprint.doc(responses={"200": {"description": "The metrics.", "content": FORMATS}})
@document_errors(blueprint, 403, 503)
def show_metrics() -> Response:
    """Read the metrics in Prometheus' text format or as OpenMetrics."""
    settings = get_settings()
    if not settings.metrics.open:
        require_admin()
    get_counter().store()
    registry = CollectorRegistry(auto_describe=False)
    registry.register(ServiceCollector(settings.cache.path))
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return current_app.response_class(encode(registry), content_type=content_type)
