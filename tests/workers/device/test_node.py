"""A node says which versions it has, and why tasks would fail on it."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from app.core.settings import Cache, Models, Settings, Storage, Whisper
from tests.object_store import ObjectStoreServer
from workers.device import node
from workers.device.node import borrowed_mark, check_node, find_obstacle, write_mark


@pytest.fixture
def here(mini_settings: Settings) -> Settings:
    mini_settings.cache.path.mkdir()
    return mini_settings


def test_versions_are_those_of_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(node, "version", lambda name: {"ray": "9.9"}[name])
    assert re.fullmatch(r"Ray 9\.9, Python 3\.\d+ and build [0-9a-f]{8} of the service", str(node.read_versions()))


def test_build_changes_with_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(node, "version", lambda name: "9.9")
    monkeypatch.setattr(node, "ROOT", tmp_path)
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "a.py").write_text("a = 1")
    first = node.read_versions()
    (tmp_path / "app" / "a.py").write_text("a = 2")
    assert node.read_versions() != first


def test_node_must_see_the_files_of_the_supervisor_without_a_bucket(here: Settings, tmp_path: Path) -> None:
    elsewhere = replace(here, cache=Cache(path=tmp_path / "elsewhere"))
    mark = write_mark(here.cache.path)
    assert find_obstacle(here, mark) == ""
    assert "must be a shared folder" in find_obstacle(elsewhere, mark)
    assert find_obstacle(replace(elsewhere, storage=Storage(url="s3://speech")), mark) == ""


def test_each_supervisor_has_its_own_mark_and_leaves_one_file(here: Settings) -> None:
    first = write_mark(here.cache.path)
    second = write_mark(here.cache.path)
    assert find_obstacle(here, first) and not find_obstacle(here, second)
    assert [path.name for path in here.cache.path.iterdir()] == [second]


def test_check_leaves_the_mark_of_the_supervisor_alone(here: Settings) -> None:
    mark = write_mark(here.cache.path)
    with borrowed_mark(here.cache.path) as borrowed:
        assert check_node(here, borrowed) == ""
    assert [path.name for path in here.cache.path.iterdir()] == [mark]


def test_node_names_the_model_that_it_lacks(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    without = replace(here, whisper=Whisper(model_size="large-v3"), models=Models(path=here.folder / "none"))
    assert find_obstacle(without, write_mark(here.cache.path)).startswith("model large-v3: not on disk, and ")


def test_cache_that_cannot_be_made_is_named(here: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bucket = replace(here, cache=Cache(path=tmp_path / "file" / "cache"), storage=Storage(url="s3://speech"))
    assert find_obstacle(bucket, "") == f"cache.path {tmp_path}/file/cache cannot be made: {os.strerror(20)}"


def test_check_writes_to_the_bucket(here: Settings, object_store: ObjectStoreServer) -> None:
    good = object_store.settings(here)
    assert check_node(good, "") == ""
    bad = replace(good, storage=Storage("s3://nowhere", object_store.endpoint))
    assert "nowhere" in check_node(bad, "")
