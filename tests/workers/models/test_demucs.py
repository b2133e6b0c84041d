"""demucs models are found in folders and in the hub cache; an error says what to do about a missing one."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from app.core.catalog.catalog import SEPARATE, Model, find_on_disk, separation_models
from app.core.errors import SpeechError
from app.core.settings import Models, Settings
from tests.service import MINI
from tests.workers.conftest import SLOT, forbid_network
from tests.workers.separators import saved, untrained
from workers.models import demucs
from workers.models.cache import WarmModels


def allowing(mini: Settings, path: Path | None = None, **models: str) -> Settings:
    separation = dataclasses.replace(mini.bgm_separation, models={**mini.bgm_separation.models, **models})
    return dataclasses.replace(mini, bgm_separation=separation, models=Models(path or mini.models.path))


def missing(settings: Settings, name: str) -> SpeechError:
    with pytest.raises(SpeechError) as caught:
        WarmModels(SLOT, settings).separator(name)
    assert caught.value.code == "model_not_available"
    return caught.value


def test_separation_model_is_loaded_once_until_it_is_freed(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    first = models.separator("mini")
    assert models.separator("mini") is first
    assert (first.samplerate, first.audio_channels, set(first.model.sources)) == (16_000, 2, {"vocals", "other"})
    models.free("whisper")
    assert models.separator("mini") is first
    models.free("separate")
    assert models.separator("mini") is not first


def test_freeing_one_kind_keeps_the_others(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    whisper = models.whisper("mini", "int8")
    models.separator("mini")
    models.free("separate")
    assert models.whisper("mini", "int8") is whisper


def test_unconfigured_separation_model_is_never_looked_up(mini: Settings) -> None:
    for name in ("htdemucs", "evil/repo", "/etc/passwd", "../x", "hf://x/y"):
        assert "is not allowed" in missing(mini, name).message


def test_missing_separation_model_error_says_what_to_do(
    mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")
    settings = allowing(mini, tmp_path, htdemucs="htdemucs")
    message = missing(settings, "htdemucs").message
    assert "'htdemucs'" in message and str(tmp_path / "htdemucs") in message and "bgm_separation.model_size" in message


def test_a_folder_under_models_may_be_named(mini: Settings, tmp_path: Path) -> None:
    saved(tmp_path / "mine", "abc", ["vocals", "other"], bag="whatever")
    settings = allowing(mini, tmp_path)
    assert separation_models(settings)["mine"] == str(tmp_path / "mine")
    assert WarmModels(SLOT, settings).separator("mine").samplerate == 44_100


def test_model_in_a_shared_folder_is_chosen_by_name(mini: Settings, tmp_path: Path) -> None:
    saved(tmp_path / "both", "one", ["vocals", "other"])
    saved(tmp_path / "both", "two", ["vocals", "drums", "other"])
    settings = allowing(mini, tmp_path, two="both", best="both")
    assert WarmModels(SLOT, settings).separator("two").model.sources == ["vocals", "drums", "other"]
    assert "use the name of one of them" in missing(settings, "best").message


def test_a_model_without_vocals_is_refused(mini: Settings, tmp_path: Path) -> None:
    saved(tmp_path / "drums", "abc", ["drums", "other"])
    assert "has no vocals stem" in missing(allowing(mini, tmp_path), "drums").message


@pytest.mark.parametrize("damage", [b"", b"not a model"])
def test_broken_separation_model_is_reported(mini: Settings, tmp_path: Path, damage: bytes) -> None:
    shutil.copytree(MINI / "demucs", tmp_path / "broken")
    next((tmp_path / "broken").glob("*.th")).write_bytes(damage)
    assert "cannot be loaded" in missing(allowing(mini, tmp_path), "broken").message


def test_bag_needs_all_its_weights(mini: Settings, tmp_path: Path) -> None:
    folder = saved(tmp_path / "mine", "abc", ["vocals", "other"], bag="mine")
    model = Model(SEPARATE, "separate:mine", "mine")
    settings = allowing(mini, tmp_path)
    assert find_on_disk(model, settings) == folder
    (folder / "mine.yaml").write_text("models: [abc, def]")
    assert find_on_disk(model, settings) is None
    for broken in ("models: {", "[]", "models:", "\x80"):
        (folder / "mine.yaml").write_text(broken)
        assert find_on_disk(model, settings) is None


def test_pulled_separation_model_loads_without_the_hub(
    mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from safetensors.torch import save_file

    model = untrained(["drums", "bass", "other", "vocals"])
    args, kwargs = model._init_args_kwargs
    about = {"klass": "demucs.hdemucs.HDemucs", "args": json.dumps(args), "kwargs": json.dumps(kwargs)}
    snapshot = tmp_path / "models--adefossez--HTDemucs" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("a" * 40)
    settings = allowing(mini, tmp_path, htdemucs="htdemucs")
    wanted = Model(SEPARATE, "separate:htdemucs", "htdemucs")
    (snapshot / "htdemucs.yaml").write_text("models: ['955717e8']")
    assert find_on_disk(wanted, settings) is None
    save_file(model.state_dict(), snapshot / "955717e8.safetensors", metadata=about)
    assert find_on_disk(wanted, settings) == snapshot
    forbid_network(monkeypatch)
    separator = WarmModels(SLOT, settings).separator("htdemucs")
    assert separator.model.sources == ["drums", "bass", "other", "vocals"]


@pytest.mark.parametrize("bag", [None, "bag"])
def test_networks_stay_on_their_device(tmp_path: Path, bag: str | None) -> None:
    """demucs would move those of a bag there and back for each call, under other tasks that use them."""
    folder = saved(tmp_path / "repo", "abc", ["vocals", "other"], bag)
    separator = demucs.load(folder, bag or "abc", "meta")
    assert {weight.device.type for weight in separator.model.parameters()} == {"meta"}
