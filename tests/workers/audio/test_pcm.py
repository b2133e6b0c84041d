"""Samples without a header are decoded on request, and never taken for another format, or another format for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import recordings
from tests.containers import Track, write
from tests.service import SAMPLE
from workers.audio.decode import decode
from workers.audio.pcm import is_known_format
from workers.device.run import Run

MakeRun = Callable[..., Run]
FORMATS = [
    *[("pcm_s16le", "wav"), ("pcm_s16le", "w64"), ("pcm_s16be", "aiff"), ("pcm_s16be", "caf")],
    *[("flac", "flac"), ("libmp3lame", "mp3"), ("mp2", "mp2"), ("aac", "mp4"), ("aac", "matroska"), ("aac", "mpegts")],
    *[("aac", "adts"), ("libopus", "webm"), ("libopus", "ogg"), ("libmp3lame", "asf"), ("mp3", "avi"), ("mp2", "mpeg")],
    *[("pcm_s16be", "au"), ("aac", "mov"), ("aac", "flv"), ("wavpack", "wv"), ("tta", "tta")],
]


def raw(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_samples_without_a_header_are_decoded_exactly(make_run: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    run = make_run(raw(tmp_path / "a", sound.tobytes()), raw_pcm=True)
    np.testing.assert_allclose(decode(run), sound / 32768, atol=1e-4)
    assert run.warnings == []


@pytest.mark.parametrize("length", [3, 4097, 64_001])
def test_row_20_an_odd_last_byte_is_dropped(make_run: MakeRun, tmp_path: Path, length: int) -> None:
    content = recordings.speech(SAMPLE).tobytes()[20_000 : 20_000 + length]
    run = make_run(raw(tmp_path / "a", content), raw_pcm=True)
    assert len(decode(run)) == length // 2
    assert run.warnings == []


def test_a_single_byte_is_invalid_media(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as caught:
        decode(make_run(raw(tmp_path / "a", b"x"), raw_pcm=True))
    assert caught.value.code == "invalid_media"


def test_samples_are_not_guessed_without_the_parameter(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as caught:
        decode(make_run(raw(tmp_path / "a", recordings.speech(SAMPLE).tobytes())))
    assert caught.value.code in ("invalid_media", "unsupported_media")


@pytest.mark.parametrize(("codec", "container"), FORMATS)
def test_row_19_other_formats_are_decoded_as_such(
    make_run: MakeRun, tmp_path: Path, codec: str, container: str
) -> None:
    path = recordings.encoded(tmp_path / "a", recordings.speech(SAMPLE)[: 3 * recordings.RATE], codec, container)
    assert is_known_format(path.read_bytes()[:16_384])
    run = make_run(path, raw_pcm=True)
    usual = decode(make_run(path))
    np.testing.assert_array_equal(decode(run), usual)
    assert [warning.split(":")[0] for warning in run.warnings] == ["raw_pcm has no effect"]


@pytest.mark.parametrize(
    ("codec", "rate"), [("libmp3lame", rate) for rate in (8000, 22_050, 44_100)] + [("mp2", 48_000)]
)
def test_mpeg_audio_without_tags_is_known(tmp_path: Path, codec: str, rate: int) -> None:
    sound = np.resize(recordings.speech(SAMPLE), 4 * rate)
    content = write(
        tmp_path / "a", "mp3" if codec == "libmp3lame" else "mp2", Track(sound, codec, rate=rate)
    ).read_bytes()
    frames = content[content.index(b"\xff", 10) :]
    assert frames[1] & 0xE0 == 0xE0 and is_known_format(frames[:16_384])


@pytest.mark.parametrize("loudness", [0, 1, 30, 3000, 30_000])
def test_sound_is_never_taken_for_a_known_format(loudness: int) -> None:
    noise = np.random.default_rng(0)
    for _ in range(300):
        head = (loudness * noise.standard_normal(8192)).clip(-32768, 32767).astype("<i2").tobytes()
        assert not is_known_format(head)
        assert not is_known_format(b"\xff\xfb\x90\x64" + head)  # one frame of MP3 proves nothing


def test_tracks_are_counted_in_samples_too(make_run: MakeRun, tmp_path: Path) -> None:
    path = raw(tmp_path / "a", recordings.speech(SAMPLE).tobytes())
    assert len(decode(make_run(path, raw_pcm=True, audio_track=0)))
    with pytest.raises(SpeechError, match="audio_track 1 does not exist"):
        decode(make_run(path, raw_pcm=True, audio_track=1))


def test_missing_samples_are_reported_as_such(make_run: MakeRun, tmp_path: Path) -> None:
    with pytest.raises(SpeechError) as caught:
        decode(make_run(tmp_path / "missing", raw_pcm=True))
    assert caught.value.code == "upload_missing"
