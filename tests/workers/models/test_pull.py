"""Pulled models load without the hub; lost connections are resumed, damaged files refused."""

from __future__ import annotations

import dataclasses
import io
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.core.catalog import hub_names
from app.core.catalog.catalog import Model, diarization_model, find_on_disk
from app.core.errors import SpeechError
from app.core.settings import Align, Diarization, Models, Settings, Whisper
from tests.hub import Hub
from tests.service import MINI, ROOT, until
from tests.workers.conftest import SLOT, forbid_network
from workers.models import check
from workers.models import hub as model_hub
from workers.models.cache import WarmModels

WHISPER, ALIGN = "lab/mini-whisper", "lab/mini-align"
COMMUNITY, OLDER = "pyannote/speaker-diarization-community-1", "pyannote/speaker-diarization-3.1"
CONFIG = f"""
models: {{path: models}}
whisper: {{model_size: mini, models: {{mini: {WHISPER}, nowhere: lab/nowhere, unknown: nothing-by-this-name, base: base}}}}
align: {{models: {{en: {ALIGN}}}}}
diarization: {{model: {COMMUNITY}}}
"""
OWN = (MINI / "diarization" / "config.yaml").read_text()
CHUNK = 10 * 1024 * 1024  # huggingface_hub writes a download in chunks of this size
BUNDLE = Model("align", "align:en", "WAV2VEC2_ASR_BASE_960H")


@pytest.fixture
def hub() -> Iterator[Hub]:
    repositories = {
        repo: {file.name: file.read_bytes() for file in (MINI / folder).iterdir()}
        for repo, folder in ((WHISPER, "whisper"), (ALIGN, "align"))
    }
    repositories[WHISPER]["README.md"] = b"not needed"
    repositories[ALIGN] |= {"pytorch_model.bin": b"the same weights again", "checkpoint-1/config.json": b"{}"}
    pipeline = MINI / "diarization"
    files = [file for file in pipeline.rglob("*") if file.is_file()]
    repositories[COMMUNITY] = {str(file.relative_to(pipeline)): file.read_bytes() for file in files}
    repositories[COMMUNITY]["README.md"] = b"not needed"
    with Hub(repositories) as hub:
        yield hub


@pytest.fixture
def large(hub: Hub) -> Hub:
    """The same hub with a large model."""
    hub.repositories[WHISPER]["model.bin"] = os.urandom((model_hub.TRIES + 1) * CHUNK)
    return hub


def pull(
    tmp_path: Path, hub: Hub | str, *names: str, diarizer: str = COMMUNITY, **environment: str
) -> subprocess.CompletedProcess[str]:
    (tmp_path / "config.yaml").write_text(CONFIG.replace(COMMUNITY, diarizer))
    ours = {"CONFIG": str(tmp_path / "config.yaml"), "HF_ENDPOINT": hub if isinstance(hub, str) else hub.url}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    command = [sys.executable, "-m", "workers.models", "pull", *names]
    environment = {**clean, "HF_HOME": str(tmp_path / "home"), **ours, **environment}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240)


def settings_of(mini: Settings, tmp_path: Path) -> Settings:
    return dataclasses.replace(
        mini, models=Models(tmp_path / "models"), whisper=Whisper("mini", {"mini": WHISPER}), align=Align({"en": ALIGN})
    )


def blobs(tmp_path: Path, end: str = "") -> list[Path]:
    return [path for path in (tmp_path / "models").glob(f"*/blobs/*{end}") if path.is_file()]


def test_pulled_models_load_without_the_hub(hub: Hub, mini: Settings, tmp_path: Path) -> None:
    done = pull(tmp_path, hub, "mini", "align:en")
    assert done.returncode == 0, done.stderr
    assert "mini: complete in" in done.stdout and "align:en: complete in" in done.stdout
    asked = {name for name, _ in hub.ranges}
    assert {"model.bin", "model.safetensors"} < asked
    assert not asked & {"README.md", "pytorch_model.bin", "checkpoint-1/config.json"}
    hub.repositories.clear()
    models = WarmModels(SLOT, settings_of(mini, tmp_path))
    assert models.whisper("mini", "int8").model.is_multilingual
    assert models.aligner("en")[1]["language"] == "en"


def test_a_pulled_diarization_pipeline_loads_without_the_hub(
    hub: Hub, mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = pull(tmp_path, hub, "diarize:speaker-diarization-community-1")
    assert done.returncode == 0, done.stderr
    asked = {name for name, _ in hub.ranges}
    assert "config.yaml" in asked and "embedding/pytorch_model.bin" in asked and "README.md" not in asked
    settings = dataclasses.replace(settings_of(mini, tmp_path), diarization=Diarization(model=COMMUNITY))
    forbid_network(monkeypatch)
    assert WarmModels(SLOT, settings).diarizer().model.instantiated


def older(hub: Hub) -> tuple[str, str]:
    """Serve a pipeline like 3.1, whose networks are separate repositories; return their names."""
    segmentation, embedding = hub_names.PIPELINES[OLDER][:2]
    config = OWN.replace("$model/segmentation", segmentation).replace("$model/embedding", embedding)
    hub.repositories[OLDER] = {"config.yaml": config.replace("plda: $model/plda", "").encode()}
    for repo, folder in ((segmentation, "segmentation"), (embedding, "embedding")):
        weights = (MINI / "diarization" / folder / "pytorch_model.bin").read_bytes()
        hub.repositories[repo] = {"config.yaml": b"task: {}", "pytorch_model.bin": weights}
    return segmentation, embedding


def test_pipeline_needs_every_repository_it_uses(
    hub: Hub, mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    segmentation, embedding = older(hub)
    settings = dataclasses.replace(settings_of(mini, tmp_path), diarization=Diarization(model=OLDER))
    wanted = diarization_model(settings)
    missing = hub.repositories.pop(embedding)
    done = pull(tmp_path, hub, "diarize:speaker-diarization-3.1", diarizer=OLDER)
    assert done.returncode == 1 and f"{hub.url}/{embedding} does not exist" in done.stderr
    assert find_on_disk(wanted, settings) is None
    hub.repositories[embedding] = missing
    done = pull(tmp_path, hub, "diarize:speaker-diarization-3.1", diarizer=OLDER)
    assert done.returncode == 0, done.stderr
    found = find_on_disk(wanted, settings)
    assert found is not None and "speaker-diarization-3.1" in str(found)
    for repo in (segmentation, embedding, COMMUNITY):
        folder = tmp_path / "models" / f"models--{repo.replace('/', '--')}"
        assert any(folder.glob("snapshots/*/config.yaml"))
        hidden = folder.rename(tmp_path / "hidden")
        assert find_on_disk(wanted, settings) is None
        hidden.rename(folder)
    forbid_network(monkeypatch)
    assert WarmModels(SLOT, settings).diarizer().model.instantiated


@pytest.mark.parametrize("repo", [COMMUNITY, "pyannote/segmentation-3.0"])
def test_gated_pipeline_names_the_page_to_accept(hub: Hub, tmp_path: Path, repo: str) -> None:
    older(hub)
    hub.gated.add(repo)
    chosen = COMMUNITY if repo == COMMUNITY else OLDER
    done = pull(tmp_path, hub, f"diarize:{chosen.rpartition('/')[2]}", diarizer=chosen)
    assert done.returncode == 1
    assert f"{hub.url}/{repo} is gated, and HF_TOKEN is not set" in done.stderr


def test_progress_bar_is_shown(hub: Hub, tmp_path: Path) -> None:
    done = pull(tmp_path, hub, "mini", TQDM_POSITION="-1")  # makes huggingface_hub show bars without a terminal
    assert "model.bin: 100%" in done.stderr


def test_base_is_pulled_from_the_hub_where_it_answers(hub: Hub, tmp_path: Path) -> None:
    hub.repositories["Systran/faster-whisper-base"] = hub.repositories[WHISPER]
    done = pull(tmp_path, hub, "base", PIP_NO_INDEX="1", PIP_FIND_LINKS="")
    assert done.returncode == 0, done.stderr
    assert f"base: complete in {tmp_path / 'models' / 'models--Systran--faster-whisper-base'}" in done.stdout


def test_second_pull_downloads_nothing(hub: Hub, tmp_path: Path) -> None:
    assert pull(tmp_path, hub, "mini").returncode == 0
    hub.ranges.clear()
    assert pull(tmp_path, hub, "mini").returncode == 0
    assert hub.ranges == []


def test_lost_connection_is_resumed(large: Hub, tmp_path: Path) -> None:
    large.cuts["model.bin"] = 2
    done = pull(tmp_path, large, "mini")
    assert done.returncode == 0, done.stderr
    ranges = [asked for name, asked in large.ranges if name == "model.bin"]
    assert ranges == [None, f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]


def test_next_pull_resumes_after_a_failed_one(large: Hub, tmp_path: Path) -> None:
    large.cuts["model.bin"] = model_hub.TRIES
    done = pull(tmp_path, large, "mini")
    assert done.returncode == 1 and "Pull mini again to resume" in done.stderr
    large.ranges.clear()
    assert pull(tmp_path, large, "mini").returncode == 0
    assert large.ranges == [("model.bin", f"bytes={model_hub.TRIES * CHUNK}-")]


@pytest.mark.parametrize("damaged", ["model.bin", "config.json"])
def test_a_wrong_checksum_is_refused_and_removed(hub: Hub, tmp_path: Path, damaged: str) -> None:
    hub.damaged.add(damaged)
    done = pull(tmp_path, hub, "mini")
    assert done.returncode == 1 and "is damaged" in done.stderr
    kept = {path.resolve().name for path in (tmp_path / "models").rglob("*") if path.is_file()}
    hub.damaged.clear()
    assert pull(tmp_path, hub, "mini").returncode == 0
    (again,) = {blob.name for blob in blobs(tmp_path)} - kept
    assert again in {path.resolve().name for path in (tmp_path / "models").rglob(damaged)}


def test_a_file_damaged_on_disk_is_found(hub: Hub, tmp_path: Path) -> None:
    assert pull(tmp_path, hub, "mini").returncode == 0
    largest = max(blobs(tmp_path), key=lambda blob: blob.stat().st_size)
    largest.write_bytes(b"x" + largest.read_bytes()[1:])
    assert "is damaged" in pull(tmp_path, hub, "mini").stderr


@pytest.mark.parametrize(("token", "said"), [("", "HF_TOKEN is not set"), ("hf_stranger", "HF_TOKEN is set")])
def test_a_gated_model_names_the_page_to_accept_and_never_the_token(
    hub: Hub, tmp_path: Path, token: str, said: str
) -> None:
    hub.gated.add(WHISPER)
    done = pull(tmp_path, hub, "mini", HF_TOKEN=token)
    assert done.returncode == 1
    assert f"{hub.url}/{WHISPER} is gated" in done.stderr and said in done.stderr
    assert "hf_stranger" not in done.stdout + done.stderr


def test_gated_model_is_pulled_with_an_accepted_token(hub: Hub, tmp_path: Path) -> None:
    hub.gated.add(WHISPER)
    hub.members.add("hf_member")
    assert pull(tmp_path, hub, "mini", HF_TOKEN="hf_member").returncode == 0


def test_missing_repository_is_reported_and_others_are_pulled(hub: Hub, tmp_path: Path) -> None:
    done = pull(tmp_path, hub, "nowhere", "mini")
    assert done.returncode == 1
    assert f"nowhere: {hub.url}/lab/nowhere does not exist" in done.stderr
    assert "mini: complete" in done.stdout


@pytest.mark.parametrize("environment", [{}, {"HF_HUB_OFFLINE": "1"}])
def test_pull_without_network_suggests_copying_models(tmp_path: Path, environment: dict[str, str]) -> None:
    done = pull(tmp_path, "http://127.0.0.1:9", "mini", **environment)
    assert done.returncode == 1
    assert "http://127.0.0.1:9 cannot be reached" in done.stderr and "copy its models/ folder here" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [("unknown", "'nothing-by-this-name' is neither a folder"), ("evil/repo", "Unknown model 'evil/repo'")],
)
def test_only_configured_models_are_pulled(hub: Hub, tmp_path: Path, name: str, said: str) -> None:
    done = pull(tmp_path, hub, name)
    assert done.returncode == 1 and said in done.stderr
    assert not hub.ranges


def weights(count: int) -> bytes:
    """A torch file with the numbers from 0 to ``count`` - 1, in eight bytes each."""
    content = io.BytesIO()
    torch.save({"weight": torch.arange(count)}, content)
    return content.getvalue()


FETCH = """
import logging, sys
from pathlib import Path
from app.core.catalog import hub_names
from app.core.catalog.catalog import Model
from app.core.settings import Models, Settings
from workers.models import hub
logging.basicConfig(level="INFO")
hub_names.BUNDLES_URL = sys.argv[1]
hub.fetch(Model("align", "align:en", sys.argv[2]), Settings(models=Models(Path(sys.argv[3]))))
"""


def fetching(hub: Hub, models: Path) -> subprocess.Popen[str]:
    """Start a process that downloads the bundle into ``models``."""
    command = [sys.executable, "-c", FETCH, f"{hub.url}/bundles/", BUNDLE.place, str(models)]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)


class TestBundles:
    """torchaudio's bundles are single files from another server."""

    @pytest.fixture
    def served(self, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
        monkeypatch.setattr(hub_names, "BUNDLES_URL", f"{hub.url}/bundles/")
        return hub

    def test_bundle_is_stored_where_torchaudio_finds_it(self, served: Hub, mini: Settings, tmp_path: Path) -> None:
        name = hub_names.BUNDLES[BUNDLE.place]
        served.files[f"/bundles/{name}"] = weights(4_000_000)
        served.cuts[name] = 2
        settings = settings_of(mini, tmp_path)
        path = model_hub.fetch(BUNDLE, settings)
        assert [asked for _, asked in served.ranges] == [None, f"bytes={CHUNK}-", f"bytes={2 * CHUNK}-"]
        assert path.read_bytes() == weights(4_000_000) and [*path.parent.glob("*.pt*")] == [path]
        loaded = torch.hub.load_state_dict_from_url(f"https://nowhere.invalid/{name}", str(settings.models.path))
        assert len(loaded["weight"]) == 4_000_000

    @pytest.mark.parametrize("damage", ["inside", "no archive"])
    def test_damaged_bundle_is_refused_and_removed(
        self, served: Hub, mini: Settings, tmp_path: Path, damage: str
    ) -> None:
        content = weights(10).replace(b"\x07\0\0\0\0\0\0\0", b"\x08\0\0\0\0\0\0\0", 1)
        assert content != weights(10)
        served.files[f"/bundles/{hub_names.BUNDLES[BUNDLE.place]}"] = (
            content if damage == "inside" else b"<html>busy</html>"
        )
        with pytest.raises(SpeechError, match="is damaged"):
            model_hub.fetch(BUNDLE, settings_of(mini, tmp_path))
        assert not list((tmp_path / "models").glob("*.pt*"))

    def test_two_processes_download_a_bundle_once(self, served: Hub, tmp_path: Path) -> None:
        name = hub_names.BUNDLES[BUNDLE.place]
        served.files[f"/bundles/{name}"] = weights(800_000)
        served.held.add(name)
        first = fetching(served, tmp_path / "models")
        until(lambda: len(served.ranges) == 1, "the first one receives it")
        second = fetching(served, tmp_path / "models")
        errors: list[str] = []
        reading = threading.Thread(target=lambda: errors.extend(iter(second.stderr.readline, "")), daemon=True)
        reading.start()
        until(
            lambda: len(served.ranges) == 2 or "waiting for another process" in "".join(errors), "the second one came"
        )
        served.held.clear()
        assert (first.wait(60), second.wait(60)) == (0, 0), errors
        assert (tmp_path / "models" / name).read_bytes() == weights(800_000)
        assert served.ranges == [(name, None)]

    def test_too_long_partial_bundle_is_downloaded_again(self, served: Hub, mini: Settings, tmp_path: Path) -> None:
        name = hub_names.BUNDLES[BUNDLE.place]
        served.files[f"/bundles/{name}"] = weights(10)
        settings = settings_of(mini, tmp_path)
        settings.models.path.mkdir()
        (settings.models.path / f"{name}.part").write_bytes(weights(10) * 2)
        assert model_hub.fetch(BUNDLE, settings).read_bytes() == weights(10)

    @pytest.mark.parametrize(
        "content",
        [weights(10) * 2, weights(10) + b"x", b"x" + weights(10), weights(10)[:-1], b"", weights(10)[:-100]],
        ids=["twice", "longer", "shifted", "shorter", "empty", "without its end"],
    )
    def test_damaged_bundle_on_disk_is_always_detected(
        self, served: Hub, mini: Settings, tmp_path: Path, content: bytes
    ) -> None:
        settings = dataclasses.replace(settings_of(mini, tmp_path), align=Align({"en": BUNDLE.place}))
        settings.models.path.mkdir()
        path = settings.models.path / hub_names.BUNDLES[BUNDLE.place]
        path.write_bytes(content)
        (line,) = (line for line in check.run_checks(settings)[0] if "align:en" in line)
        assert line.startswith(check.FAIL) and f"{path} is damaged" in line
        with pytest.raises(SpeechError, match="is damaged"):
            WarmModels(SLOT, settings).aligner("en")
        with pytest.raises(SpeechError, match="is damaged"):
            model_hub.fetch(BUNDLE, settings)
        assert not path.exists()
