"""Only a recording that lost sound is reported as damaged or cut off."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests.containers import Track, bursts, write
from tests.recordings import RATE
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run

MakeRun = Callable[..., Run]
SOUND = bursts(10.0, 1.0, 5.0, 9.0)
NOISE = (np.random.default_rng(0).standard_normal(10 * RATE) * 3000).astype(np.int16)


def warned(run: Run) -> list[str]:
    decode(run)
    return [warning.split(":")[0] for warning in run.warnings]


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("matroska", "libopus", 48_000),
        ("mp4", "aac", 16_000),
        ("mpegts", "mp2", 48_000),
        ("flv", "libmp3lame", 44_100),
        ("avi", "libmp3lame", 44_100),
        ("asf", "wmav2", 44_100),
    ],
)
def test_longer_picture_is_no_loss(make_run: MakeRun, tmp_path: Path, container: str, codec: str, rate: int) -> None:
    track = Track(bursts(10.0, 1.0, 5.0, rate=rate), codec, rate=rate)
    assert warned(make_run(write(tmp_path / "a", container, track, picture=18.0))) == []


def test_longer_second_track_is_no_loss(make_run: MakeRun, tmp_path: Path) -> None:
    tracks = Track(SOUND, default=True), Track(bursts(30.0, 1.0), default=False)
    assert warned(make_run(write(tmp_path / "a.mkv", "matroska", *tracks))) == []


@pytest.mark.parametrize("container", ["matroska", "mp4", "avi", "asf"])
def test_video_that_was_cut_off_is_reported(make_run: MakeRun, tmp_path: Path, container: str) -> None:
    codec, rate = ("wmav2", 44_100) if container == "asf" else ("libmp3lame", 44_100)
    track = Track(bursts(10.0, 1.0, 5.0, rate=rate), codec, rate=rate)
    options = {"movflags": "faststart"} if container == "mp4" else {}
    path = write(tmp_path / "a", container, track, picture=12.0, options=options)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert warned(make_run(path)) == ["truncated_media"]


@pytest.mark.parametrize("quiet_first", [True, False])
@pytest.mark.parametrize("table", ["0", "1"])
def test_mp3_of_variable_rate_is_complete(make_run: MakeRun, tmp_path: Path, quiet_first: bool, table: str) -> None:
    parts = [np.zeros(60 * RATE, np.int16), NOISE]
    track = Track(np.concatenate(parts if quiet_first else parts[::-1]), "libmp3lame", quality=2)
    run = make_run(write(tmp_path / "a.mp3", "mp3", track, options={"write_xing": table}))
    assert len(decode(run)) == pytest.approx(70 * SAMPLE_RATE, abs=SAMPLE_RATE / 4)
    assert run.warnings == []


@pytest.mark.parametrize("quality", [None, 2])
def test_mp3_with_a_table_that_was_cut_off_is_reported(make_run: MakeRun, tmp_path: Path, quality: int | None) -> None:
    path = write(tmp_path / "a.mp3", "mp3", Track(np.concatenate([NOISE, SOUND]), "libmp3lame", quality=quality))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    run = make_run(path)
    assert warned(run) == ["truncated_media"]
    assert run.warnings[0].endswith("s of 20.0 s") or run.warnings[0].endswith("s of 20.1 s")


def test_recording_over_the_limit_is_refused_before_it_is_decoded(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.audio.media.Recording.blocks", None)
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(np.tile(SOUND, 20)), picture=1.0))
    limits = dataclasses.replace(run.settings.limits, max_audio_hours=0.05)
    run.settings = dataclasses.replace(run.settings, limits=limits)
    with pytest.raises(SpeechError, match="too_long"):
        decode(run)
