"""``check`` reports whether the service can run, also by its exit status; ``list`` shows the models."""

from __future__ import annotations

import dataclasses
import sqlite3
import sys
from pathlib import Path

import pytest

from app.core import settings as app_settings
from app.core.db import connection
from app.core.settings import Align, Diarization, Limits, Models, Settings, Storage, Whisper, Workers
from app.core.storage.location import Keys
from app.core.storage.store_probe import StoreProbe
from app.factory import create_app
from tests.object_store import KEYS, ObjectStoreServer
from tests.service import MINI
from workers.models import __main__ as command
from workers.models import check, listing


@pytest.fixture
def here(mini_settings: Settings) -> Settings:
    return mini_settings


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")


def failing(settings: Settings) -> str:
    """The only FAIL line of a report with exit status 1."""
    lines, status = check.run_checks(settings)
    (line,) = (line for line in lines if line.startswith(check.FAIL))
    assert status == 1 and lines[-1].startswith("The service cannot run here")
    return line


def only(settings: Settings, start: str) -> str:
    (line,) = (line for line in check.run_checks(settings)[0] if line.startswith(start))
    return line


def megabytes(folder: str) -> str:
    return f"{sum(file.stat().st_size for file in (MINI / folder).iterdir()) / 1e6:.1f} MB"


def test_check_passes_with_the_mini_models_on_a_cpu(here: Settings) -> None:
    lines, status = check.run_checks(here)
    report = "\n".join(lines)
    assert status == 0 and lines[-1] == "The service can run here."
    assert "cpu 0" in report and "int8, int8_float32" in report and "compute_type int8 runs as int8" in report
    assert f"mini: {megabytes('whisper')} in {MINI / 'whisper'}" in report and "align:en: " in report
    assert "diarize:diarization: " in report and str(MINI / "diarization") in report
    assert str(here.cache.path) in report and "GB free" in report


def test_check_changes_nothing(here: Settings, tmp_path: Path) -> None:
    check.run_checks(here)
    assert list(tmp_path.iterdir()) == []


def test_unavailable_default_model_fails(here: Settings, tmp_path: Path) -> None:
    line = failing(dataclasses.replace(here, models=Models(tmp_path), whisper=Whisper("tiny"), align=Align()))
    assert "tiny: not on disk, and http://127.0.0.1:9 does not answer" in line


def test_other_missing_model_is_a_note(here: Settings) -> None:
    others = {**here.whisper.models, "tiny": "tiny"}
    settings = dataclasses.replace(here, whisper=dataclasses.replace(here.whisper, models=others))
    assert "tiny: not on disk" in only(settings, "note  model")
    assert check.run_checks(settings)[1] == 0


def test_a_missing_default_is_a_note_where_the_hub_answers(
    here: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.hub import Hub

    settings = dataclasses.replace(here, models=Models(tmp_path), whisper=Whisper("tiny"), align=Align())
    with Hub() as hub:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", hub.url)
        assert "would be downloaded" in only(settings, "note  model     tiny")


@pytest.mark.parametrize(
    ("model", "also"),
    [
        ("pyannote/speaker-diarization-community-1", []),
        ("pyannote/speaker-diarization-3.1", ["segmentation-3.0", "speaker-diarization-community-1"]),
    ],
)
@pytest.mark.parametrize("token", ["", "hf_secret"])
def test_a_missing_diarization_model_names_the_pages_to_accept(
    here: Settings, tmp_path: Path, model: str, also: list[str], token: str
) -> None:
    settings = dataclasses.replace(here, diarization=Diarization(model=model), hf_token=token)
    settings = dataclasses.replace(settings, models=Models(tmp_path), whisper=Whisper("mini", {"mini": str(MINI)}))
    line = only(settings, f"note  model     diarize:{model.rpartition('/')[2]}")
    for page in (model, *(f"pyannote/{name}" for name in also)):
        assert f"https://huggingface.co/{page}" in line
    assert ("the account of HF_TOKEN must accept" if token else "and set HF_TOKEN") in line
    assert "http://127.0.0.1:9 does not answer" in line and "hf_secret" not in line


def test_a_missing_gpu_fails_where_one_is_asked_for(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.device.slots.count_gpus", lambda: 0)
    assert "no CUDA device" in failing(dataclasses.replace(here, workers=Workers(device="cuda")))


def test_a_compute_type_the_device_lacks_is_noted(here: Settings) -> None:
    settings = dataclasses.replace(here, whisper=dataclasses.replace(here.whisper, compute_type="int8_float16"))
    assert "compute_type int8_float16 runs as int8" in only(settings, "note  device")


def test_unavailable_database_fails_and_the_password_is_not_shown(here: Settings) -> None:
    line = failing(dataclasses.replace(here, db_url="postgresql://user:secret@127.0.0.1:9/speech"))
    assert "127.0.0.1/speech is not available" in line and "secret" not in line


def test_a_file_that_is_not_a_database_fails(here: Settings, tmp_path: Path) -> None:
    (tmp_path / "records.db").write_text("This is not a database, but it is long enough to have the header of one.")
    assert "database" in failing(here)


def test_a_database_in_a_missing_folder_fails(here: Settings, tmp_path: Path) -> None:
    assert "is not writable" in failing(dataclasses.replace(here, db_url=f"sqlite:///{tmp_path}/nowhere/records.db"))


def test_a_database_in_use_is_left_unchanged(here: Settings, tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "records.db") as opened:
        opened.execute("PRAGMA journal_mode=wal")
        opened.execute("CREATE TABLE held (x)")
        assert check.run_checks(here)[1] == 0
        assert opened.execute("SELECT name FROM sqlite_master").fetchall() == [("held",)]


def test_too_little_disk_space_fails(here: Settings) -> None:
    full = dataclasses.replace(here, limits=Limits(min_free_mb=10**9))
    assert "every upload would be rejected" in failing(full)


def test_a_cache_below_a_file_fails(here: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is not writable" in failing(
        dataclasses.replace(here, cache=dataclasses.replace(here.cache, path=tmp_path / "file" / "cache"))
    )


def test_bucket_that_can_be_written_is_reported(here: Settings, object_store: ObjectStoreServer) -> None:
    settings = object_store.settings(here)
    assert f"{settings.storage.url} at {object_store.endpoint}, writable" in only(settings, "ok    storage")
    assert object_store.list_keys(settings.storage.url) == []


def test_bucket_that_cannot_be_written_fails(here: Settings, object_store: ObjectStoreServer) -> None:
    settings = object_store.settings(here)
    assert "AWS_SECRET_ACCESS_KEY" in failing(dataclasses.replace(settings, storage_keys=Keys(KEYS.access, "secret1")))
    gone = dataclasses.replace(settings.storage, endpoint="http://127.0.0.1:9")
    line = failing(dataclasses.replace(settings, storage=gone))
    assert "storage.endpoint" in line and KEYS.secret not in line


def test_bucket_of_another_database_fails(here: Settings, object_store: ObjectStoreServer) -> None:
    settings = object_store.settings(here)
    create_app(settings)
    assert "writable" in only(settings, "ok    storage")
    for name in ("not-made-yet", "other"):
        other = dataclasses.replace(settings, db_url=settings.db_url.replace("records", name))
        if name == "other":
            connection.connect(other.db_url).close()
        assert "correct DB_URL" in failing(other)


def test_clock_that_differs_from_the_store_is_noted(
    here: Settings, object_store: ObjectStoreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(StoreProbe, "measure_skew", lambda _: -300.0)
    assert "differs by -300 s" in only(object_store.settings(here), "note  storage")


def test_bucket_without_boto3_fails(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    bucket = dataclasses.replace(here, storage=Storage("s3://speech"))
    assert "requirements-cluster" in failing(bucket)


@pytest.mark.parametrize(("token", "said"), [("", "not set"), ("hf_secret", "set")])
def test_the_token_is_reported_but_not_shown(here: Settings, token: str, said: str) -> None:
    report = "\n".join(check.run_checks(dataclasses.replace(here, hf_token=token))[0])
    assert f"HF_TOKEN  {said}" in report and "hf_secret" not in report


def test_list_shows_names_sizes_and_places(here: Settings) -> None:
    lines, status = listing.format_table(here)
    rows = {line.split()[0]: line.split()[1:] for line in lines[2:]}
    assert status == 0
    assert rows["mini"] == ["*", *megabytes("whisper").split(), "folder", "whisper"]
    assert rows["align:de"] == [*megabytes("align").split(), "folder", "align"]
    assert rows["align:fr"] == ["-", "-", "VOXPOPULI_ASR_BASE_10K_FR"]
    assert rows["diarize:diarization"][0] == "*" and rows["diarize:diarization"][-1] == "diarization"


def test_size_counts_what_links_point_at(tmp_path: Path) -> None:
    (tmp_path / "blob").write_bytes(b"12345")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.bin").symlink_to(tmp_path / "blob")
    assert listing.disk_size(tmp_path / "folder") == 5


def test_the_command_prints_and_exits(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("CONFIG", str(MINI / "config.yaml"))
    monkeypatch.delenv("DB_URL", raising=False)
    assert command.main(["list"]) == 0
    assert "mini *" in capsys.readouterr().out
    monkeypatch.setenv("DB_URL", "postgresql://user:secret@127.0.0.1:9/speech")
    assert command.main(["check"]) == 1
    assert "cannot run here: database" in capsys.readouterr().out
    assert app_settings.load().db_url.startswith("postgresql")
