"""All formats that the bundled FFmpeg decodes are accepted, except those that refer to other files."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.containers import EXACT, Track, bursts, heard, write
from workers.audio.decode import SAMPLE_RATE, decode
from workers.audio.formats import FORMATS
from workers.device.run import Run

MakeRun = Callable[..., Run]
REFERRING = {
    "hls",
    "concat",
    "concatf",
    "dash",
    "sdp",
    "rtsp",
    "rtp",
    "imf",
    "image2",
    "webm_dash_manifest",
    "vobsub",
    "lavfi",
}


def dss() -> bytes:
    """Make a dictation of 40 blocks of noise, in the quality SP."""
    head = bytearray(1024)
    head[:4], head[0x26:0x32], head[0x32:0x3E] = b"\x02dss", b"240101120000", b"240101120010"
    noise = random.Random(0)
    return bytes(head) + b"".join(bytes([0, 0, 12, 0xFF, 0, 0xFF]) + noise.randbytes(506) for _ in range(40))


def dsf() -> bytes:
    """Make a second of DSD silence, stereo."""
    rate, size = 2_822_400, 4096 * 84
    form = struct.pack("<4sQIIIIIIQII", b"fmt ", 52, 1, 0, 2, 2, rate, 1, size * 8, 4096, 0)
    data = struct.pack("<4sQ", b"data", 12 + 2 * size) + b"\x69" * (2 * size)
    return struct.pack("<4sQQQ", b"DSD ", 28, 28 + len(form) + len(data), 0) + form + data


def sphere() -> bytes:
    """Make a NIST SPHERE file, as speech corpora have them, of two seconds of noise."""
    head = b"NIST_1A\n   1024\nsample_count -i 32000\nsample_rate -i 16000\nchannel_count -i 1\nsample_n_bytes -i 2\n"
    head += b"sample_byte_format -s2 01\nsample_coding -s3 pcm\nend_head\n"
    return head.ljust(1024) + random.Random(0).randbytes(64_000)


@pytest.mark.parametrize(
    ("make", "seconds"), [(dss, 11.8), (dsf, 0.98), (sphere, 2.0)], ids=["dss", "dsf", "nist sphere"]
)
def test_formats_of_recorders_are_accepted(
    make_run: MakeRun, tmp_path: Path, make: Callable[[], bytes], seconds: float
) -> None:
    (tmp_path / "a").write_bytes(make())
    run = make_run(tmp_path / "a")
    assert len(decode(run)) / SAMPLE_RATE == pytest.approx(seconds, abs=0.05)
    assert run.warnings == []


@pytest.mark.parametrize(
    ("container", "codec"),
    [
        ("caf", "pcm_s16be"),
        ("w64", "pcm_s16le"),
        ("wv", "wavpack"),
        ("tta", "tta"),
        ("au", "pcm_s16be"),
        ("voc", "pcm_u8"),
    ],
)
def test_rarer_containers_are_decoded(make_run: MakeRun, tmp_path: Path, container: str, codec: str) -> None:
    run = make_run(write(tmp_path / "a", container, Track(bursts(3.0, 1.0, 2.0), codec)))
    assert heard(decode(run)) == pytest.approx([1.0, 2.0], abs=EXACT)
    assert run.warnings == []


def test_no_format_refers_to_other_files() -> None:
    assert REFERRING.isdisjoint(FORMATS.split(","))


@pytest.mark.parametrize("channels", [3, 4, 8, 10, 24, 64])
@pytest.mark.parametrize("used", ["one", "all"])
def test_channels_without_a_layout_are_decoded(make_run: MakeRun, tmp_path: Path, channels: int, used: str) -> None:
    sound = bursts(2.0, 0.5, 1.0)
    both = np.zeros((len(sound), channels), np.int16)
    both[:, channels - 1 if used == "one" else slice(None)] = sound if used == "one" else sound[:, None]
    block = 2 * channels
    form = struct.pack("<HHIIHH", 1, channels, SAMPLE_RATE, SAMPLE_RATE * block, block, 16)
    body = b"WAVEfmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", both.nbytes) + both.tobytes()
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    samples = decode(make_run(tmp_path / "a.wav"))
    assert heard(samples) == pytest.approx([0.5, 1.0], abs=EXACT)
    assert abs(samples).max() == pytest.approx(12_000 / 32_768, rel=0.05)


@pytest.mark.parametrize(
    ("container", "codec", "rate"),
    [("wav", "pcm_s16le", 16_000), ("mp3", "libmp3lame", 44_100), ("mp4", "aac", 48_000)],
)
@pytest.mark.parametrize("gain", [-1.0, -0.8])
def test_stereo_in_opposite_phase_is_heard(
    make_run: MakeRun, tmp_path: Path, container: str, codec: str, rate: int, gain: float
) -> None:
    left = bursts(3.0, 1.0, 2.0, rate=rate)
    track = Track(np.stack([left, (left * gain).astype(np.int16)]), codec, rate=rate, layout="stereo")
    samples = decode(make_run(write(tmp_path / "a", container, track)))
    assert heard(samples) == pytest.approx([1.0, 2.0], abs=EXACT)
    assert abs(samples).max() == pytest.approx(12_000 / 32_768 * (1 - gain) / 2, rel=0.15)
