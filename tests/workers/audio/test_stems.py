"""Stems are written block by block and appear on disk complete or not at all."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import mixtures
from workers.audio import stems

RATE = 44_100
NAMES = ("vocals", "instrumental")


def noise(seconds: float, seed: int = 0) -> mixtures.Sound:
    return (np.random.default_rng(seed).standard_normal((2, int(seconds * RATE))) * 0.1).astype(np.float32)


def write(folder: Path, file_format: str, sound: mixtures.Sound, block: int = 10_007) -> None:
    with stems.open_stems(folder, NAMES, file_format, RATE, 2) as writers:
        for start in range(0, sound.shape[1], block):
            writers["vocals"].write(sound[:, start : start + block])
            writers["instrumental"].write(-sound[:, start : start + block])


@pytest.mark.parametrize("file_format", ["wav", "flac"])
def test_lossless_stems_hold_every_sample_of_both_channels(tmp_path: Path, file_format: str) -> None:
    sound = noise(1.3)
    write(tmp_path / "stems-1", file_format, sound)
    back, rate = mixtures.heard(tmp_path / "stems-1" / f"vocals.{file_format}")
    assert (rate, back.shape) == (RATE, sound.shape)
    assert abs(back - sound).max() < 2**-15
    other, _ = mixtures.heard(tmp_path / "stems-1" / f"instrumental.{file_format}")
    assert abs(other + sound).max() < 2**-15


def test_mp3_has_the_length_and_start_of_the_recording(tmp_path: Path) -> None:
    time = np.arange(2 * RATE) / RATE
    left, right = np.sin(2 * np.pi * 440 * time), 0.5 * np.sin(2 * np.pi * 1000 * time)
    sound = (0.3 * np.stack([left, right])).astype(np.float32)
    write(tmp_path / "stems-1", "mp3", sound)
    back, rate = mixtures.heard(tmp_path / "stems-1" / "vocals.mp3")
    assert (rate, back.shape) == (RATE, sound.shape)
    assert mixtures.si_sdr(back[:, RATE // 10 : -RATE // 10], sound[:, RATE // 10 : -RATE // 10]) > 25


def test_samples_beyond_full_scale_are_clipped(tmp_path: Path) -> None:
    write(tmp_path / "stems-1", "wav", np.full((2, 1000), 1.5, np.float32))
    assert mixtures.heard(tmp_path / "stems-1" / "vocals.wav")[0].min() > 0.99
    assert mixtures.heard(tmp_path / "stems-1" / "instrumental.wav")[0].max() < -0.99


def test_finished_files_are_described_by_content(tmp_path: Path) -> None:
    write(tmp_path / "stems-1", "wav", noise(0.1))
    described = stems.describe_stems(tmp_path / "stems-1")
    assert [(file["name"], file["stem"]) for file in described] == [
        ("instrumental.wav", "instrumental"),
        ("vocals.wav", "vocals"),
    ]
    for file in described:
        content = (tmp_path / "stems-1" / file["name"]).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


def test_files_appear_only_when_all_are_complete(tmp_path: Path) -> None:
    with stems.open_stems(tmp_path / "stems-1", NAMES, "wav", RATE, 2) as writers:
        for writer in writers.values():
            writer.write(noise(0.1))
        assert not (tmp_path / "stems-1").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["stems-1"]


def test_files_are_synced_before_they_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []

    def noted(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append(f"{path.name}:{(tmp_path / 'stems-1').exists()}")

    monkeypatch.setattr("os.fsync", noted)
    write(tmp_path / "stems-1", "wav", noise(0.1))
    before, after = synced[:-1], synced[-1]
    assert set(before) == {"vocals.wav:False", "instrumental.wav:False", "stems-1.partial:False"}
    assert after == f"{tmp_path.name}:True"


def test_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    with (
        pytest.raises(RuntimeError, match="model"),
        stems.open_stems(tmp_path / "stems-1", NAMES, "flac", RATE, 2) as writers,
    ):
        writers["vocals"].write(noise(0.5))
        raise RuntimeError("the model broke")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_reported_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as caught, stems.open_stems(tmp_path / "stems-1", NAMES, "wav", RATE, 2):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.code == "insufficient_storage"
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_a_crash_are_overwritten(tmp_path: Path) -> None:
    for name in ("stems-1", "stems-1.partial"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old.wav").touch()
    write(tmp_path / "stems-1", "wav", noise(0.1))
    assert sorted(path.name for path in (tmp_path / "stems-1").iterdir()) == ["instrumental.wav", "vocals.wav"]
