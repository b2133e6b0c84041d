"""Files that were glued together are decoded to their end, one after the other."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests import recordings
from tests.containers import EXACT, Track, bursts, heard, write
from tests.recordings import RATE
from workers.audio.decode import SAMPLE_RATE, decode
from workers.audio.glued import find_parts
from workers.audio.parts import Part
from workers.device.run import Run

MakeRun = Callable[..., Run]
EXPECTED = (1.0, 2.0, 4.0, 6.0)  # in files of 3, 2 and 3 seconds


def glue(path: Path, *parts: bytes) -> Path:
    path.write_bytes(b"".join(parts))
    return path


def made(folder: Path, container: str, codecs: list[tuple[str, int, str]], **options: str) -> list[bytes]:
    sounds = ((3.0, (1.0, 2.0)), (2.0, (1.0,)), (3.0, (1.0,)))
    parts = []
    for (codec, rate, layout), (seconds, starts) in zip(codecs, sounds, strict=True):
        sound = bursts(seconds, *starts, rate=rate)
        track = Track(np.stack([sound] * (2 if layout == "stereo" else 1)), codec, rate=rate, layout=layout)
        parts.append(write(folder / "part", container, track, options=options).read_bytes())
    return parts


FILES: list[tuple[str, str, dict[str, str]]] = [
    ("wav", "pcm_s16le", {}),
    ("flac", "flac", {}),
    ("ogg", "flac", {}),
    ("mp3", "libmp3lame", {}),
    ("mp3", "libmp3lame", {"write_xing": "0", "id3v2_version": "0"}),
    ("adts", "aac", {}),
    ("mpegts", "mp2", {}),
    ("mp4", "aac", {}),
    ("mp4", "aac", {"movflags": "faststart"}),
    ("mp4", "aac", {"movflags": "frag_keyframe+empty_moov+default_base_moof"}),
    ("webm", "libopus", {}),
    ("webm", "libopus", {"live": "1"}),
]


@pytest.mark.parametrize(
    ("container", "codec", "options", "change"),
    [
        (*file, change)
        for file in FILES
        for change in ("none", "rate", "layout")
        if (file[0], change) != ("webm", "rate")
    ],
)
def test_glued_files_are_decoded_to_the_end(
    make_run: MakeRun, tmp_path: Path, container: str, codec: str, options: dict[str, str], change: str
) -> None:
    usual = (codec, 48_000, "mono")
    other = {"none": usual, "rate": (codec, 32_000, "mono"), "layout": (codec, 48_000, "stereo")}[change]
    run = make_run(glue(tmp_path / "a", *made(tmp_path, container, [usual, other, usual], **options)))
    samples = decode(run)
    assert heard(samples) == pytest.approx(EXPECTED, abs=0.17)  # encoders pad, three times
    assert len(samples) == pytest.approx(8 * SAMPLE_RATE, abs=0.25 * SAMPLE_RATE)
    assert run.warnings == []


@pytest.mark.parametrize("junk", [b"", b"\0", b"\0" * 5, b"LIST" + struct.pack("<I", 6) + b"INFOxy"])
def test_wav_files_with_something_between_them_are_found(make_run: MakeRun, tmp_path: Path, junk: bytes) -> None:
    first = recordings.wav(tmp_path / "a", bursts(3.0, 1.0, 2.0)).read_bytes()
    second = recordings.wav(tmp_path / "b", bursts(2.0, 1.0), rate=RATE).read_bytes()
    run = make_run(glue(tmp_path / "a.wav", first, junk, second))
    assert heard(decode(run)) == pytest.approx([1.0, 2.0, 4.0], abs=0.02)
    assert run.warnings == []


def test_glued_amr_files_are_decoded_to_the_end(make_run: MakeRun, tmp_path: Path) -> None:
    noise = random.Random(0)
    first, second = (b"#!AMR\n" + b"".join(b"\x3c" + noise.randbytes(31) for _ in range(100)) for _ in range(2))
    run = make_run(glue(tmp_path / "a", first, second))
    samples = decode(run)
    assert run.warnings == []
    alone = decode(make_run(glue(tmp_path / "b", second)))
    assert np.corrcoef(samples[-len(alone) :], alone)[0, 1] > 0.9  # the first part may have turned it down
    assert len(samples) == pytest.approx(4 * SAMPLE_RATE, abs=50)


def test_glued_wav_that_was_cut_off_is_reported(make_run: MakeRun, tmp_path: Path) -> None:
    whole = recordings.wav(tmp_path / "a", bursts(10.0, 1.0)).read_bytes()
    run = make_run(glue(tmp_path / "a.wav", whole, whole[: len(whole) // 2]))
    assert len(decode(run)) == pytest.approx(15 * SAMPLE_RATE, abs=100)


def test_wav_whose_header_states_less_than_there_is_is_read_to_the_end(make_run: MakeRun, tmp_path: Path) -> None:
    whole = bytearray(recordings.wav(tmp_path / "a.wav", bursts(6.0, 1.0, 3.0, 5.0) + 1).read_bytes())
    whole[4:8], whole[40:44] = struct.pack("<I", 2 * RATE + 36), struct.pack("<I", 2 * RATE)
    run = make_run(glue(tmp_path / "a.wav", bytes(whole)))
    samples = decode(run)
    assert heard(samples) == pytest.approx([1.0, 3.0, 5.0], abs=EXACT)
    assert len(samples) == 6 * SAMPLE_RATE


@pytest.mark.parametrize(
    "tail", [b"", b"LIST" + struct.pack("<I", 4) + b"INFO", b"id3 " + struct.pack("<I", 3) + b"abc\0", b"\0" * 20]
)
def test_single_wav_is_one_part(tmp_path: Path, tail: bytes) -> None:
    path = glue(tmp_path / "a.wav", recordings.wav(tmp_path / "b", bursts(1.0, 0.5)).read_bytes(), tail)
    assert find_parts(str(path), "wav") == [None]


def test_parts_cover_the_whole_file(tmp_path: Path) -> None:
    whole = recordings.wav(tmp_path / "b", bursts(1.0, 0.5)).read_bytes()
    size = len(whole)
    path = glue(tmp_path / "a.wav", whole, whole, whole)
    assert find_parts(str(path), "wav") == [Part(at * size, (at + 1) * size) for at in range(3)]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"RIFF",
        b"RIFF\0\0\0\0WAVE",
        b"RIFF\xff\xff\xff\xffWAVEdata\x04",
        b"RIFF\0\0\0\0WAVE" + b"abcd\0\0\0\0" * 1000,
    ],
)
def test_broken_headers_are_one_part(tmp_path: Path, content: bytes) -> None:
    for form in ("wav", "flac", "ogg", "mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm"):
        path = glue(tmp_path / "a", content)
        if content or form == "wav":
            assert find_parts(str(path), form) == [None]
