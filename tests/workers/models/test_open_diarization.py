"""Speakers need no token: the open model is made from a package on PyPI, and ``auto`` uses it where no better one is."""

from __future__ import annotations

import dataclasses
import io
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch

from app.core.catalog.catalog import HUB, PYPI, diarization_model, diarization_models, find_on_disk
from app.core.errors import SpeechError
from app.core.params import DiarizationOptions
from app.core.settings import Diarization, Models, Settings
from tests import recordings
from tests.service import MINI
from tests.wheels import Wheels, replace_pypi
from tests.workers.conftest import SLOT, forbid_network
from tests.workers.conversations import recording
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models import __main__ as command
from workers.models import check, fetch, hub, listing, open_diarization
from workers.models.cache import WarmModels
from workers.models.errors import DownloadError
from workers.stages import diarize

COMMUNITY = "pyannote/speaker-diarization-community-1"
PAGE = f"https://huggingface.co/{COMMUNITY}"
NOWHERE = "http://127.0.0.1:9/simple"
SPEECH = recordings.speech(recording("voices2"))[: 12 * 16_000].astype(np.float32) / 32768


def make_encoder() -> Any:
    """A speaker encoder with random weights; the true ones are tested in tests/real."""
    from workers.models.voice_encoder import VoiceEncoder

    torch.manual_seed(0)
    return VoiceEncoder().eval()


@pytest.fixture(scope="module")
def pipeline_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pipeline")
    open_diarization.write_pipeline(make_encoder(), folder)
    return folder


@pytest.fixture(autouse=True)
def no_index(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test reaches PyPI or the hub."""
    monkeypatch.setenv("PIP_INDEX_URL", NOWHERE)
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")


Configured = Callable[..., Settings]


@pytest.fixture
def configured(mini: Settings, tmp_path: Path, pipeline_folder: Path) -> Configured:
    """Settings of a server with ``model``, a token, and the models in ``on_disk``."""

    def configure(model: str = "auto", token: str = "", on_disk: tuple[str, ...] = ()) -> Settings:
        places = {"open": (pipeline_folder, tmp_path / "open"), COMMUNITY: (MINI / "diarization", snapshot(tmp_path))}
        for name in on_disk:
            shutil.copytree(*places[name])
        return dataclasses.replace(mini, models=Models(tmp_path), diarization=Diarization(model=model), hf_token=token)

    return configure


def snapshot(models: Path) -> Path:
    """Where huggingface_hub keeps community-1."""
    cache = models / f"models--{COMMUNITY.replace('/', '--')}"
    (cache / "refs").mkdir(parents=True, exist_ok=True)
    (cache / "refs" / "main").write_text("abc")
    return cache / "snapshots" / "abc"


def run_task(settings: Settings, models: WarmModels | None = None) -> tuple[list[dict[str, Any]], list[str]]:
    """Diarize some speech; return the segments and the warnings of the task."""
    job = Job("test", 1, "transcription", DiarizationOptions(), [], "")
    run = Run(job, SLOT, settings, models or WarmModels(SLOT, settings), lambda progress: None)
    run.must_raise = lambda _: True  # type: ignore[method-assign]
    segments: Any = [{"start": 0.0, "end": 5.0, "text": "kept", "words": [], "speaker": None, "tokens": []}]
    return diarize.diarize(segments, SPEECH[: 5 * 16_000], str, run), run.warnings  # type: ignore[return-value]


def test_open_model_needs_no_token_and_no_network(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured("open", on_disk=("open",))
    forbid_network(monkeypatch)
    segments, warnings = run_task(settings)
    assert segments[0]["speaker"] == "SPEAKER_00" and warnings == []


def test_auto_uses_the_open_model_with_one_warning_for_each_task(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = configured("auto", on_disk=("open",))
    forbid_network(monkeypatch)
    models = WarmModels(SLOT, settings)
    for _ in range(2):
        segments, (warning,) = run_task(settings, models)
        assert segments[0]["speaker"] == "SPEAKER_00"
        assert "'open'" in warning and "HF_TOKEN is not set" in warning and PAGE in warning


def test_auto_prefers_community_1_on_disk(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured("auto", on_disk=("open", COMMUNITY))
    forbid_network(monkeypatch)
    models = WarmModels(SLOT, settings)
    assert run_task(settings, models)[1] == []
    assert models.diarizer().model._embedding.dimension == 64  # that of the mini model, which stands in for it


def test_auto_with_a_token_that_is_refused_says_so(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        error = huggingface_hub.errors.HfHubHTTPError.__new__(huggingface_hub.errors.GatedRepoError)
        error.response = SimpleNamespace(status_code=403)  # type: ignore[assignment]
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", refuse)
    segments, (warning,) = run_task(configured("auto", token="hf_secret", on_disk=("open",)))
    assert segments[0]["speaker"] == "SPEAKER_00"
    assert "refused access" in warning and PAGE in warning and "hf_secret" not in warning


def test_auto_with_a_token_downloads_community_1(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = configured("auto", token="hf_member", on_disk=("open",))

    def download(model: Any, settings: Settings) -> Path:
        assert model.place == COMMUNITY and settings.hf_token == "hf_member"
        return MINI / "diarization"

    monkeypatch.setattr(hub, "fetch", download)
    models = WarmModels(SLOT, settings)
    assert run_task(settings, models)[1] == []
    assert models.diarizer().model._embedding.dimension == 64


@pytest.mark.parametrize(("model", "tried"), [("auto", [COMMUNITY, "HF_TOKEN", "'open'"]), ("open", ["'open'"])])
def test_without_pypi_the_transcript_survives_and_the_warning_names_what_was_tried(
    configured: Configured, model: str, tried: list[str]
) -> None:
    segments, (warning,) = run_task(configured(model))
    assert segments[0]["text"] == "kept" and segments[0]["speaker"] is None
    assert warning.startswith("Diarization is not available: ") and "PyPI" in warning
    for name in [*tried, "Resemblyzer 0.1.4"]:
        assert name in warning


@pytest.fixture
def published(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Wheels:
    """A package like Resemblyzer, with random weights, in place of PyPI."""
    trained = {name: value for name, value in make_encoder().state_dict().items() if not name.startswith("mel.")}
    trained |= {"similarity_weight": torch.ones(1), "similarity_bias": torch.zeros(1)}
    content = io.BytesIO()
    torch.save({"step": 1, "model_state": trained, "optimizer_state": {}}, content)
    index = replace_pypi(tmp_path_factory.mktemp("pypi") / "index", monkeypatch)
    monkeypatch.setattr(open_diarization, "LICENSE", "resemblyzer/LICENSE")
    files = {open_diarization.WEIGHTS: content.getvalue(), open_diarization.LICENSE: b"the licence"}
    monkeypatch.setattr(open_diarization, "RESEMBLYZER", index.add("Resemblyzer", files))
    return index


def test_open_model_is_pulled_from_pypi_when_a_task_first_needs_it(configured: Configured, published: Wheels) -> None:
    settings = configured("auto")
    assert find_on_disk(diarization_model(settings), settings) is None
    segments, warnings = run_task(settings)
    assert segments[0]["speaker"] == "SPEAKER_00" and len(warnings) == 1
    found = find_on_disk(diarization_model(settings), settings)
    assert found == settings.models.path / "open"
    weights = torch.load(found / "embedding" / "pytorch_model.bin", weights_only=False)["state_dict"]
    assert torch.equal(weights["linear.weight"], make_encoder().linear.weight)
    assert (found / "embedding" / "LICENSE").read_text() == "the licence"


def test_command_pulls_lists_and_checks_the_open_model(
    configured: Configured, published: Wheels, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configured("auto")
    monkeypatch.setattr("app.core.settings.load", lambda: settings)
    assert "diarize:open: not on disk; would be downloaded from PyPI" in "\n".join(check.run_checks(settings)[0])
    assert command.main(["pull", "diarize:open"]) == 0
    assert f"diarize:open: complete in {settings.models.path / 'open'}" in capsys.readouterr().out
    rows = {line.split()[0]: line.split()[1:] for line in listing.format_table(settings)[0][2:]}
    assert rows["diarize:open"][0] == "*" and rows["diarize:open"][-3:] == ["MB", "PyPI", "open"]
    assert rows["diarize:speaker-diarization-community-1"][0] == "-"
    report = check.run_checks(settings)[0]
    (line,) = (line for line in report if "diarize:open" in line)
    assert line.startswith("ok") and str(settings.models.path / "open") in line
    (line,) = (line for line in report if "community-1" in line)
    assert line.startswith("note") and "for better speakers" in line and PAGE in line


@pytest.mark.parametrize("file", ["embedding/pytorch_model.bin", "segmentation/pytorch_model.bin"])
def test_pull_replaces_a_damaged_open_model(configured: Configured, published: Wheels, file: str) -> None:
    settings = configured("open")
    (model,) = diarization_models(settings)
    damaged = fetch.fetch(model, settings) / file
    damaged.write_bytes(damaged.read_bytes()[:-100])
    with pytest.raises(DownloadError, match=r"is damaged\. The folder has been removed"):
        fetch.fetch(model, settings)
    assert (fetch.fetch(model, settings) / file).stat().st_size > 1_000_000


def test_folder_of_another_pipeline_named_open_is_kept(configured: Configured) -> None:
    settings = configured("open", on_disk=("open",))
    (model,) = diarization_models(settings)
    before = (settings.models.path / "open" / "config.yaml").read_bytes()
    assert (fetch.fetch(model, settings, PYPI) / "config.yaml").read_bytes() == before
    with pytest.raises(DownloadError, match="nor a repository"):
        fetch.fetch(model, settings, HUB)


def test_damaged_open_model_is_reported(configured: Configured) -> None:
    settings = configured("open", on_disk=("open",))
    (settings.models.path / "open" / "embedding" / "pytorch_model.bin").write_bytes(b"not a model")
    with pytest.raises(SpeechError, match="'open' on this machine is broken"):
        WarmModels(SLOT, settings).diarizer()


@pytest.fixture(scope="module")
def diarizer(mini: Settings, pipeline_folder: Path) -> Any:
    place = Diarization(model=str(pipeline_folder))
    return WarmModels(SLOT, dataclasses.replace(mini, diarization=place)).diarizer()


SOUNDS = {
    "one-sample": SPEECH[16_000:16_001],
    "50-ms": SPEECH[16_000:16_800],
    "half-a-second": SPEECH[16_000:24_000],
    "two-seconds": SPEECH[16_000:48_000],
    "silence": np.zeros(8 * 16_000, np.float32),
    "speech-and-digital-silence": np.concatenate([SPEECH[:64_000], np.zeros(96_000, np.float32)]),
    "clipped": np.clip(SPEECH[:80_000] * 1000, -1, 1),
}
BOUNDS: dict[str, dict[str, int]] = {
    "free": {},
    "one": {"num_speakers": 1},
    "too-many": {"num_speakers": 50},
    "at-least-too-many": {"min_speakers": 50},
    "range": {"min_speakers": 2, "max_speakers": 3},
    "at-most-one": {"max_speakers": 1},
}


CASES = [(sound, "free") for sound in SOUNDS] + [
    (sound, bounds) for sound in ("50-ms", "two-seconds") for bounds in BOUNDS if bounds != "free"
]


@pytest.mark.parametrize(("sound", "bounds"), CASES)
def test_unusual_recordings_and_speaker_counts_are_diarized(diarizer: Any, sound: str, bounds: str) -> None:
    turns, embeddings = diarizer(SOUNDS[sound], **BOUNDS[bounds], return_embeddings=True)
    seconds = len(SOUNDS[sound]) / 16_000
    assert all(0 <= row.start < row.end for row in turns.itertuples())
    assert all(row.start <= seconds for row in turns.itertuples())
    assert {row.speaker for row in turns.itertuples()} == set(embeddings or {})
    if sound == "silence":
        assert len(turns) == 0
    if bounds in ("one", "at-most-one"):
        assert len(embeddings or {}) <= 1


def test_exclusive_turns_do_not_overlap(diarizer: Any) -> None:
    found = diarizer.model({"waveform": torch.from_numpy(SPEECH[None]), "sample_rate": 16_000, "uri": "test"})
    turns = sorted((turn.start, turn.end) for turn, _ in found.exclusive_speaker_diarization.itertracks())
    assert turns and all(end <= start for (_, end), (start, _) in zip(turns, turns[1:], strict=False))


def test_weights_are_read_without_running_code_from_the_package() -> None:
    class Harmful:
        def __reduce__(self) -> Any:
            return socket.socket, ()

    content = io.BytesIO()
    torch.save({"model_state": Harmful()}, content)
    content.seek(0)
    with pytest.raises(Exception, match="Weights only load failed"):
        open_diarization.load_encoder(content)
