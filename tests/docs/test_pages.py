"""The pages are well formed and name only files, headings, settings and functions that exist."""

from __future__ import annotations

import re

import pytest
import yaml

from bench.__main__ import NAMES
from tests.docs.markdown import LINK, anchors, blocks, links, missing_target, pages, prose, spans
from tests.service import ROOT

README_LINES = 110
COLUMNS = 100
TOPICS = (
    "api",
    "models",
    "deploy",
    "url-recordings",
    "whisper-webui",
    "openai",
    "asr",
    "assemblyai",
    "batches",
    "formats",
    "command-line",
    "webhooks",
    "api-keys",
    "console",
    "metrics",
    "failures",
    "durability",
)
UNWANTED = re.compile(r"\b(ledger|nobody|whoever|is told|as it came)\b", re.IGNORECASE)
PATH = re.compile(r"(app|workers|tests|docs|deploy|bench|models/mini)/[\w./*-]*")
MADE_WHEN_NEEDED = ("models/mini/training/work", "tests/console/screenshots/")

each_page = pytest.mark.parametrize("page", pages())


def test_readme_is_short() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= README_LINES
    assert [line for line in lines if len(line) >= COLUMNS] == []


def test_readme_links_every_topic() -> None:
    linked = {target.partition("#")[0] for _, target in links("README.md")}
    assert {f"docs/{topic}.md" for topic in TOPICS} <= linked


@each_page
def test_lines_are_wrapped(page: str) -> None:
    texts = [(number, LINK.sub(r"[\1]", line)) for number, line in prose(page) if not line.startswith("|")]
    assert [(number, text) for number, text in texts if len(text) > COLUMNS] == []


@each_page
def test_every_link_has_a_target(page: str) -> None:
    broken = [(number, missing_target(page, target)) for number, target in links(page)]
    assert [(number, why) for number, why in broken if why] == []


@each_page
def test_no_unwanted_word_is_used(page: str) -> None:
    assert [(number, line) for number, line in prose(page) if UNWANTED.search(line)] == []


@each_page
def test_every_path_exists(page: str) -> None:
    named = [span.rstrip("/") for span in spans(page) if PATH.fullmatch(span) and span not in MADE_WHEN_NEEDED]
    assert [path for path in named if not list(ROOT.glob(path))] == []


@each_page
def test_every_setting_exists(page: str) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    section = re.compile(rf"({'|'.join(config)})\.(?!py$)([a-z_]+)")
    named = [found for found in map(section.fullmatch, spans(page)) if found and found[0] not in database_functions()]
    assert [found[0] for found in named if found[2] not in config[found[1]]] == []


@each_page
def test_settings_examples_name_existing_settings(page: str) -> None:
    config = yaml.safe_load((ROOT / "config.yaml").read_text())
    for language, text in blocks(page):
        for section, values in yaml.safe_load(text).items() if language == "yaml" else ():
            assert set(values) <= set(config[section])


def test_every_transition_names_an_existing_function() -> None:
    modules = {name.partition(".")[0] for name in database_functions()}
    named = [span for span in spans("docs/durability.md") if re.fullmatch(r"[a-z_]+\.[a-z_]+", span)]
    named = [name for name in named if name.partition(".")[0] in modules]
    assert len(named) > 10
    assert set(named) <= database_functions()


def database_functions() -> set[str]:
    """`module.function` of each function that reads or changes rows."""
    modules = (ROOT / "app/core/db").glob("*.py")
    return {f"{m.stem}.{name}" for m in modules for name in re.findall(r"^def (\w+)\(", m.read_text(), re.MULTILINE)}


def test_every_benchmark_is_described() -> None:
    described = re.findall(r"^\| `(\w+)` \|", (ROOT / "bench/README.md").read_text(), re.MULTILINE)
    assert described == list(NAMES)
    assert [name for name in NAMES if not (ROOT / f"bench/{name}.py").exists()] == []


def test_anchors_are_those_of_github() -> None:
    text = "# The `app/` side\n```\n# no heading\n```\n## What's new?\n## A [link](x.md) — here\n## What's new?\n"
    assert anchors(text) == {"the-app-side", "whats-new", "a-link--here", "whats-new-1"}


def test_broken_links_are_found() -> None:
    assert missing_target("README.md", "docs/nothing.md") == "there is no docs/nothing.md"
    assert missing_target("docs/api.md", "#nothing") == "docs/api.md has no heading #nothing"
    assert missing_target("docs/api.md", "../README.md#quick-start") is None
