"""Decoded sound is where a player plays it: late starts, pauses, damage, and clocks that are wrong."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests.containers import EXACT, Track, bursts, heard, write
from workers.audio import media
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run

MakeRun = Callable[..., Run]
BURSTS = (1.0, 3.0, 5.0)
SOUND = bursts(6.0, *BURSTS)


def paused(at: float, seconds: float) -> Callable[[float], float]:
    return lambda time: time + seconds if time > at else time


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("matroska", "libopus", 48_000),
        ("matroska", "aac", 16_000),
        ("mp4", "aac", 44_100),
        ("mov", "pcm_s16le", 16_000),
        ("mpegts", "mp2", 48_000),
        ("flv", "libmp3lame", 44_100),
        ("asf", "wmav2", 44_100),
        ("nut", "pcm_s16le", 16_000),
    ],
)
@pytest.mark.parametrize("late", [0.5, 4.0])
def test_sound_that_starts_after_the_picture_is_in_its_place(
    make_run: MakeRun, tmp_path: Path, container: str, codec: str, rate: int, late: float
) -> None:
    track = Track(bursts(6.0, *BURSTS, rate=rate), codec, lambda at: at + late, rate=rate)
    run = make_run(write(tmp_path / "a", container, track, picture=12.0))
    assert heard(decode(run)) == pytest.approx([late + at for at in BURSTS], abs=EXACT)
    assert run.warnings == []


def test_sound_that_starts_long_after_the_picture_of_a_stream_is_found(make_run: MakeRun, tmp_path: Path) -> None:
    track = Track(bursts(6.0, *BURSTS, rate=48_000), "aac", lambda at: at + 20, rate=48_000)
    samples = decode(make_run(write(tmp_path / "a.ts", "mpegts", track, picture=26.0)))
    assert heard(samples) == pytest.approx([20 + at for at in BURSTS], abs=EXACT)


def test_sound_without_a_picture_starts_at_its_first_packet(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(SOUND, stamp=lambda at: at + 500)))
    assert heard(decode(run)) == pytest.approx(BURSTS, abs=EXACT)
    assert run.warnings == []


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("matroska", "libopus", 48_000),
        ("webm", "libopus", 48_000),
        ("mp4", "aac", 16_000),
        ("mpegts", "mp2", 48_000),
        ("flv", "libmp3lame", 44_100),
        ("asf", "wmav2", 44_100),
        ("ogg", "flac", 16_000),
    ],
)
@pytest.mark.parametrize("pause", [0.4, 10.0, 600.0])
def test_pauses_of_a_live_recording_are_silent(
    make_run: MakeRun, tmp_path: Path, container: str, codec: str, rate: int, pause: float
) -> None:
    track = Track(bursts(6.0, *BURSTS, rate=rate), codec, paused(2.0, pause), rate=rate)
    run = make_run(write(tmp_path / "a", container, track))
    samples = decode(run)
    assert heard(samples) == pytest.approx([1.0, 3.0 + pause, 5.0 + pause], abs=EXACT)
    assert len(samples) == pytest.approx((6.0 + pause) * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    assert run.warnings == []


def test_pauses_are_silent_in_both_channels_for_separation(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(SOUND, stamp=paused(2.0, 100.0))))
    with media.open_recording(run) as recording:
        blocks = list(recording.blocks(44_100, 2))
    assert all(block.shape[0] == 2 and block.dtype == np.float32 for block in blocks)
    assert max(block.shape[1] for block in blocks) <= 60 * 44_100
    sound = np.concatenate(blocks, axis=1)
    assert heard(sound[0], 44_100) == heard(sound[1], 44_100) == pytest.approx([1.0, 103.0, 105.0], abs=EXACT)
    assert recording.seconds == pytest.approx(106.0, abs=0.1)


@pytest.mark.parametrize("container", ["matroska", "mp4", "flv"])
@pytest.mark.parametrize("hours", [3, 10, 20])
def test_jump_of_hours_is_left_out_and_within_the_limit(
    make_run: MakeRun, tmp_path: Path, container: str, hours: int
) -> None:
    codec, rate = ("libmp3lame", 44_100) if container == "flv" else ("aac", 16_000)
    track = Track(bursts(6.0, *BURSTS, rate=rate), codec, paused(2.0, hours * 3600), rate=rate)
    run = make_run(write(tmp_path / "a", container, track))
    assert heard(decode(run)) == pytest.approx(BURSTS, abs=0.1)
    if hours > 12:  # no pause, but a fault of the clock
        assert run.warnings == []
    else:
        (warning,) = run.warnings
        assert warning.startswith(f"clock: the timestamps of the recording jump ahead by {hours}.0 h after 2.")


@pytest.mark.parametrize("first", [0.0, 50.0, 7200.0])
def test_clock_that_starts_again_does_not_move_the_rest(make_run: MakeRun, tmp_path: Path, first: float) -> None:
    half = write(tmp_path / "a.ts", "mpegts", Track(bursts(3.0, 1.0), "mp2", lambda at: at + first)).read_bytes()
    again = write(tmp_path / "b.ts", "mpegts", Track(bursts(5.0, 1.0, 3.0), "mp2", paused(2.0, 10.0))).read_bytes()
    (tmp_path / "a.ts").write_bytes(half + again)
    run = make_run(tmp_path / "a.ts")
    assert heard(decode(run)) == pytest.approx([1.0, 4.0, 16.0], abs=0.1)
    assert run.warnings == []


def test_clock_that_wraps_does_not_move_the_rest(make_run: MakeRun, tmp_path: Path) -> None:
    wrap = 2**33 / 90_000
    track = Track(bursts(6.0, *BURSTS, rate=48_000), "mp2", lambda at: wrap - 4.0 + at, rate=48_000)
    run = make_run(write(tmp_path / "a.ts", "mpegts", track))
    assert heard(decode(run)) == pytest.approx(BURSTS, abs=EXACT)
    assert run.warnings == []


def test_jitter_of_live_timestamps_changes_no_sample(make_run: MakeRun, tmp_path: Path) -> None:
    shaken = random.Random(1)
    plain = decode(make_run(write(tmp_path / "a.mkv", "matroska", Track(SOUND, "flac"))))
    track = Track(SOUND, "flac", lambda at: max(0.0, at + shaken.uniform(-0.03, 0.03)))
    np.testing.assert_array_equal(decode(make_run(write(tmp_path / "b.mkv", "matroska", track))), plain)


def test_inserted_silence_counts_towards_the_limit(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(SOUND, stamp=paused(2.0, 120)), options={"live": "1"}))
    limits = dataclasses.replace(run.settings.limits, max_audio_hours=0.02)
    run.settings = dataclasses.replace(run.settings, limits=limits)
    with pytest.raises(SpeechError, match="too_long"):
        decode(run)
