"""What cannot be decoded is silent, and the rest keeps its place; users learn of losses, and of nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.containers import EXACT, Track, bursts, heard, write
from tests.recordings import Sound
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run

MakeRun = Callable[..., Run]
BURSTS = (1.0, 3.0, 5.0, 7.0, 9.0)
NOISE = (np.random.default_rng(0).standard_normal(10 * SAMPLE_RATE) * 100).astype(np.int16)
SPEECH_FRAME, NO_DATA, COMFORT_NOISE = 0x3C, 0x7C, 0x44
SPEECH_BYTES, COMFORT_BYTES = 31, 5


def noisy(rate: int) -> Sound:
    """Bursts over faint noise, so that all packets are of the same size."""
    noise = np.repeat(NOISE, -(-rate // SAMPLE_RATE))[: 10 * rate]
    return bursts(10.0, *BURSTS, rate=rate) + noise


def damage(path: Path, begin: float, end: float, filler: Callable[[int], bytes]) -> None:
    whole = path.read_bytes()
    first, last = int(len(whole) * begin / 10), int(len(whole) * end / 10)
    path.write_bytes(whole[:first] + filler(last - first) + whole[last:])


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [
        ("mp4", "aac", 44_100),
        ("mpegts", "mp2", 48_000),
        ("matroska", "libopus", 48_000),
        ("ogg", "libopus", 48_000),
        ("flac", "flac", 16_000),
        ("mp3", "libmp3lame", 44_100),
        ("ac3", "ac3", 44_100),
    ],
)
@pytest.mark.parametrize("filler", [bytes, random.Random(1).randbytes], ids=["zeros", "noise"])
def test_damaged_stretch_is_silent_and_the_rest_is_in_its_place(
    make_run: MakeRun, tmp_path: Path, container: str, codec: str, rate: int, filler: Callable[[int], bytes]
) -> None:
    options = (
        {"write_xing": "0"} if container == "mp3" else {"cluster_time_limit": "500"} if container == "matroska" else {}
    )
    path = write(tmp_path / "a", container, Track(noisy(rate), codec, rate=rate), options=options)
    damage(path, 3.6, 6.0, filler)
    run = make_run(path)
    found = heard(decode(run))
    assert [at for at in found if at < 3.25] == pytest.approx(BURSTS[:2], abs=EXACT)
    assert [at for at in found if at > 6.8] == pytest.approx(BURSTS[3:], abs=0.25)
    (warning,) = run.warnings
    assert warning.startswith("truncated_media: ")


def frames(*kinds: tuple[int, int, int]) -> bytes:
    """Make AMR frames: (first byte, bytes of noise, count)."""
    noise = random.Random(2)
    return b"".join(bytes([first]) + noise.randbytes(size) for first, size, count in kinds for _ in range(count))


@pytest.mark.parametrize(
    ("kinds", "sounding"),
    [
        ([(SPEECH_FRAME, SPEECH_BYTES, 200), (NO_DATA, 0, 800)], (0, 4)),
        ([(NO_DATA, 0, 800), (SPEECH_FRAME, SPEECH_BYTES, 200)], (16, 20)),
        (
            [(SPEECH_FRAME, SPEECH_BYTES, 100), (COMFORT_NOISE, COMFORT_BYTES, 200), (SPEECH_FRAME, SPEECH_BYTES, 100)],
            None,
        ),
        ([(NO_DATA, 0, 100)], None),
    ],
    ids=["pauses last", "pauses first", "comfort noise", "pauses only"],
)
def test_pauses_of_amr_are_silent_and_no_damage(
    make_run: MakeRun, tmp_path: Path, kinds: list[tuple[int, int, int]], sounding: tuple[int, int] | None
) -> None:
    (tmp_path / "a.amr").write_bytes(b"#!AMR\n" + frames(*kinds))
    run = make_run(tmp_path / "a.amr")
    samples = decode(run)
    assert len(samples) == pytest.approx(sum(count for *_, count in kinds) * 0.02 * SAMPLE_RATE, abs=100)
    assert run.warnings == []
    if sounding is not None:
        loud = np.flatnonzero(samples) / SAMPLE_RATE
        assert (loud[0], loud[-1]) == pytest.approx(sounding, abs=0.1)


def test_damaged_amr_is_reported(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "a.amr").write_bytes(b"#!AMR\n" + frames((SPEECH_FRAME, SPEECH_BYTES, 200), (0xFF, 3, 5)))
    run = make_run(tmp_path / "a.amr")
    decode(run)
    assert [warning.split(":")[0] for warning in run.warnings] == ["truncated_media"]
