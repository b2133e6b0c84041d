"""Any recording is decoded by its content, within limits; other files fail with a specific error."""

from __future__ import annotations

import dataclasses
import gzip
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import recordings
from tests.service import SAMPLE
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run

MakeRun = Callable[..., Run]
SECONDS: float = json.loads(SAMPLE.with_suffix(".json").read_text())["duration"]


def refused(run: Run) -> str:
    with pytest.raises(SpeechError) as caught:
        decode(run)
    assert caught.value.message
    return caught.value.code


@pytest.mark.parametrize(
    ("codec", "container", "name"),
    [
        ("pcm_s16le", "wav", "a.wav"),
        ("flac", "flac", "a.flac"),
        ("libmp3lame", "mp3", "a.mp3"),
        ("aac", "mp4", "a.m4a"),
        ("aac", "matroska", "a.mkv"),
        ("aac", "mpegts", "a.ts"),
        ("libopus", "webm", "a.webm"),
        ("libopus", "ogg", "a.ogg"),
        ("pcm_s16be", "aiff", "a.aiff"),
        ("pcm_alaw", "wav", "phone.wav"),
        ("aac", "adts", "a.aac"),
    ],
)
def test_common_formats_keep_length_and_content(
    make_run: MakeRun, tmp_path: Path, codec: str, container: str, name: str
) -> None:
    sound = recordings.speech(SAMPLE)
    run = make_run(recordings.encoded(tmp_path / name, sound, codec, container))
    samples = decode(run)
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert len(samples) / SAMPLE_RATE == pytest.approx(SECONDS, abs=0.2)
    loud = samples[: len(sound)].astype(np.float64)
    assert np.sqrt(np.mean(loud**2)) == pytest.approx(np.sqrt(np.mean((sound / 32768) ** 2)), rel=0.15)
    assert run.warnings == []


def test_wav_is_decoded_exactly(make_run: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    samples = decode(make_run(recordings.wav(tmp_path / "a.wav", sound)))
    np.testing.assert_allclose(samples, sound / 32768, atol=1e-4)


@pytest.mark.parametrize("rate", [8000, 44_100, 192_000])
def test_other_rates_are_resampled(make_run: MakeRun, tmp_path: Path, rate: int) -> None:
    tone = (8000 * np.sin(2 * np.pi * 440 * np.arange(rate) / rate)).astype(np.int16)
    samples = decode(make_run(recordings.wav(tmp_path / "a.wav", tone, rate=rate)))
    assert len(samples) == pytest.approx(SAMPLE_RATE, abs=20)
    spectrum = abs(np.fft.rfft(samples[:SAMPLE_RATE]))
    assert np.argmax(spectrum) == pytest.approx(440, abs=2)


def test_stereo_is_mixed_down(make_run: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    samples = decode(make_run(recordings.wav(tmp_path / "a.wav", sound, channels=2)))
    np.testing.assert_allclose(samples, sound / 32768, atol=1e-3)


def test_audio_of_a_video_is_decoded(make_run: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)[: 5 * SAMPLE_RATE]
    samples = decode(make_run(recordings.video(tmp_path / "video", sound)))
    assert len(samples) / SAMPLE_RATE == pytest.approx(5, abs=0.2)


def test_video_named_mp3_is_decoded_by_content(make_run: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)[: 3 * SAMPLE_RATE]
    assert len(decode(make_run(recordings.video(tmp_path / "video.mp3", sound))))


def test_video_without_audio_fails_with_no_audio(make_run: MakeRun, tmp_path: Path) -> None:
    assert refused(make_run(recordings.video(tmp_path / "mute.mp4", None))) == "no_audio"


def test_text_named_wav_is_invalid(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("This is text.")
    assert refused(make_run(tmp_path / "a.wav")) == "invalid_media"


def test_random_bytes_and_archives_are_invalid(make_run: MakeRun, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).bytes(100_000)
    (tmp_path / "random").write_bytes(noise)
    (tmp_path / "gzip").write_bytes(gzip.compress(SAMPLE.read_bytes()))
    with zipfile.ZipFile(tmp_path / "zip", "w") as archive:
        archive.write(SAMPLE, "a.flac")
    (tmp_path / "pdf").write_bytes(b"%PDF-1.7\n" + noise)
    for name in ("random", "gzip", "zip", "pdf"):
        assert refused(make_run(tmp_path / name)) == "invalid_media", name


@pytest.mark.parametrize(
    "playlist",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {target}\n",
        "ffconcat version 1.0\nfile beside.flac\n",
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
    ],
)
def test_playlists_never_open_the_files_they_list(make_run: MakeRun, tmp_path: Path, playlist: str) -> None:
    (tmp_path / "beside.flac").write_bytes(SAMPLE.read_bytes())
    (tmp_path / "a.wav").write_text(playlist.format(target=SAMPLE))
    assert refused(make_run(tmp_path / "a.wav")) in ("unsupported_media", "invalid_media")


def test_mp4_without_its_index_is_invalid(make_run: MakeRun, tmp_path: Path) -> None:
    whole = recordings.encoded(tmp_path / "a.mp4", recordings.speech(SAMPLE), "aac", "mp4").read_bytes()
    (tmp_path / "a.mp4").write_bytes(whole[: len(whole) // 2])
    assert refused(make_run(tmp_path / "a.mp4")) == "invalid_media"


def test_cut_off_mp4_gives_a_partial_recording_and_a_warning(make_run: MakeRun, tmp_path: Path) -> None:
    path = recordings.encoded(
        tmp_path / "a.mp4", recordings.speech(SAMPLE), "aac", "mp4", options={"movflags": "faststart"}
    )
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run = make_run(path)
    samples = decode(run)
    assert 2 < len(samples) / SAMPLE_RATE < SECONDS - 2
    assert [warning.split(":")[0] for warning in run.warnings] == ["truncated_media"]


def test_cut_off_wav_warns_with_both_lengths(make_run: MakeRun, tmp_path: Path) -> None:
    path = recordings.wav(tmp_path / "a.wav", recordings.speech(SAMPLE))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    run = make_run(path)
    assert len(decode(run)) == pytest.approx(len(whole) / 4, abs=SAMPLE_RATE / 10)
    (warning,) = run.warnings
    assert warning.startswith("truncated_media: ") and "11.3 s of 22.6 s" in warning


@pytest.mark.parametrize("length", [0, 0x7FFF_FFFF, 0xFFFF_FFFF], ids=hex)
def test_wav_from_a_pipe_without_a_length_is_complete(make_run: MakeRun, tmp_path: Path, length: int) -> None:
    path = recordings.wav(tmp_path / "a.wav", recordings.speech(SAMPLE))
    whole, stated = path.read_bytes(), length.to_bytes(4, "little")
    path.write_bytes(whole[:4] + stated + whole[8:40] + stated + whole[44:])
    run = make_run(path)
    assert len(decode(run)) == pytest.approx((len(whole) - 44) / 2, abs=SAMPLE_RATE / 10)
    assert run.warnings == []


def test_extreme_rates_and_channel_counts_are_refused(make_run: MakeRun, tmp_path: Path) -> None:
    assert refused(make_run(recordings.wav(tmp_path / "slow.wav", recordings.silence(0.2), rate=1))) == "invalid_media"
    wide = recordings.wav(tmp_path / "wide.wav", recordings.silence(0.01), channels=1000)
    assert refused(make_run(wide)) == "invalid_media"


def test_declared_length_over_the_limit_is_refused_before_decoding(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.audio.media.Recording.blocks", None)
    run = make_run(recordings.wav(tmp_path / "a.wav", recordings.silence(60)))
    limits: Any = dataclasses.replace(run.settings.limits, max_audio_hours=0.01)
    run.settings = dataclasses.replace(run.settings, limits=limits)
    assert refused(run) == "too_long"


def test_undeclared_length_over_the_limit_is_stopped_while_decoding(make_run: MakeRun, tmp_path: Path) -> None:
    endless = recordings.encoded(tmp_path / "a.mkv", recordings.silence(60), "aac", "matroska", options={"live": "1"})
    run = make_run(endless)
    run.settings = dataclasses.replace(
        run.settings, limits=dataclasses.replace(run.settings.limits, max_audio_hours=0.01)
    )
    assert refused(run) == "too_long"


def test_nan_and_infinity_become_finite_samples(make_run: MakeRun, tmp_path: Path) -> None:
    sound = (recordings.speech(SAMPLE) / 32768).astype(np.float32)
    sound[1000], sound[2000:2010], sound[3000] = np.nan, np.inf, 1e30
    samples = decode(make_run(recordings.float_wav(tmp_path / "a.wav", sound)))
    assert np.isfinite(samples).all() and abs(samples).max() <= 1.0


def test_recording_without_samples_is_invalid(make_run: MakeRun, tmp_path: Path) -> None:
    assert refused(make_run(recordings.wav(tmp_path / "a.wav", recordings.silence(0)))) == "invalid_media"


def test_missing_upload_fails_with_upload_missing(make_run: MakeRun, tmp_path: Path) -> None:
    assert refused(make_run(tmp_path / "gone")) == "upload_missing"
