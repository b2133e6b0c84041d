"""Scrape /metrics with a test client and read the samples."""

from __future__ import annotations

from flask import Flask
from prometheus_client.parser import text_string_to_metric_families


def parse(text: str) -> dict[str, float]:
    """Map each sample, as ``name{label="value"}`` with the labels in order, to its value."""
    samples: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f'{name}="{value}"' for name, value in sorted(sample.labels.items()))
            samples[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return samples


def scrape(web: Flask, **headers: str) -> dict[str, float]:
    answer = web.test_client().get("/metrics", headers=headers)
    assert answer.status_code == 200, answer.text
    return parse(answer.text)
