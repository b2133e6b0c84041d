"""The Grafana dashboard and the alert rules name metrics, labels and values that the service has."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families

from app.core.db import connection, heartbeats, tasks
from tests.app.rows import claimed, queued
from tests.service import ROOT

DASHBOARD = ROOT / "deploy/grafana/speech-api.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yaml"
NAME = re.compile(r"\bspeech_[a-z_]+\b(?!-)")
SELECTOR = re.compile(r"(speech_[a-z_]+)\{([^}]*)\}")
LABEL = re.compile(r'(\w+)(=~|=)"([^"]*)"')
GROUPED = re.compile(r"by \(([^)]*)\) \((?:rate|increase)?\(?(speech_[a-z_]+)")
OF_PROMETHEUS = {"instance", "job"}  # labels that it adds

Labels = dict[str, dict[str, set[str]]]


def read_panels() -> list[dict[str, Any]]:
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return panels


def read_rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(ALERTS.read_text())["groups"]
    rules: list[dict[str, Any]] = group["rules"]
    return rules


def expressions() -> list[str]:
    shown = [target["expr"] for panel in read_panels() for target in panel["targets"]]
    return [*shown, *(rule["expr"] for rule in read_rules())]


@pytest.fixture
def labels(web: Flask) -> Labels:
    """The labels of each sample, with their values, when a task has failed and a worker is alive."""
    with connection.database.connection_context():
        queued()
        tasks.fail(claimed(), "invalid_media", "", [], 1.0)
        heartbeats.record_heartbeat("a", [{"device": "cpu", "state": "idle"}])
    web.test_client().get("/task")
    found: Labels = {}
    for family in text_string_to_metric_families(web.test_client().get("/metrics").text):
        for sample in family.samples:
            for name, value in sample.labels.items():
                found.setdefault(sample.name, {}).setdefault(name, set()).add(value)
            found.setdefault(sample.name, {})
    return found


def test_every_metric_that_is_named_exists(labels: Labels) -> None:
    named = {name for text in expressions() for name in NAME.findall(text)}
    assert len(named) > 10
    assert named - set(labels) == set()
    documented = set(re.findall(r"`(speech_[a-z_]+)`", (ROOT / "docs/metrics.md").read_text()))
    plain = {re.sub(r"_(bucket|sum|count)$", "", name) for name in labels}
    assert documented == plain, "docs/metrics.md lists all metrics"


def test_every_label_and_value_that_is_named_exists(labels: Labels) -> None:
    checked = 0
    for text in expressions():
        for metric, inside in SELECTOR.findall(text):
            for name, _, value in LABEL.findall(inside):
                if name not in OF_PROMETHEUS and not value.startswith("$"):
                    assert set(value.split("|")) <= labels[metric][name], f"{metric}{{{inside}}}"
                    checked += 1
        for names, metric in GROUPED.findall(text):
            assert {name.strip() for name in names.split(",")} - OF_PROMETHEUS <= set(labels[metric]), text
            checked += 1
    assert checked > 10


def test_dashboard_is_complete() -> None:
    panels = read_panels()
    assert len({panel["id"] for panel in panels}) == len(panels) > 10
    assert all(panel["title"] and panel["targets"] and panel["gridPos"] for panel in panels)
    places = {(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}
    assert len(places) == len(panels)


def test_alerts_are_complete_and_cover_queue_worker_and_failures() -> None:
    rules = {rule["alert"]: rule for rule in read_rules()}
    assert {"SpeechQueueStuck", "SpeechWorkerMissing", "SpeechTasksFail"} <= set(rules)
    for name, rule in rules.items():
        assert rule.keys() == {"alert", "expr", "for", "labels", "annotations"}, name
        assert re.fullmatch(r"\d+[mh]", rule["for"]) and rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"].keys() == {"summary", "description"}
        assert rule["expr"].count("(") == rule["expr"].count(")")
    assert "> 0.05" in rules["SpeechTasksFail"]["expr"]
