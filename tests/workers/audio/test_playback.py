"""What browsers are told about a recording comes from its content, and so does the decision to make a copy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.media_types import MEDIA_TYPES
from tests import containers, recordings
from workers.audio import media, playback
from workers.audio.playback import Playback
from workers.device.run import Run

MakeRun = Callable[..., Run]
SOUND = (8000 * np.sin(np.arange(16_000) / 10)).astype(np.int16)


def found(run: Run) -> Playback:
    with media.open_recording(run) as recording:
        assert run.facts["media_type"] == recording.playback.media_type
        return recording.playback


@pytest.mark.parametrize(
    ("codec", "container", "media_type", "is_played"),
    [
        ("pcm_s16le", "wav", "audio/wav", True),
        ("pcm_f32le", "wav", "audio/wav", True),
        ("adpcm_ms", "wav", "audio/wav", False),
        ("flac", "flac", "audio/flac", True),
        ("libmp3lame", "mp3", "audio/mpeg", True),
        ("aac", "adts", "audio/aac", True),
        ("aac", "mp4", "audio/mp4", True),
        ("alac", "mp4", "audio/mp4", False),
        ("aac", "mov", "audio/mp4", False),
        ("libopus", "ogg", "audio/ogg", True),
        ("libopus", "webm", "audio/webm", True),
        ("libopus", "matroska", "audio/x-matroska", False),
        ("aac", "mpegts", None, False),
        ("pcm_s16be", "aiff", None, False),
    ],
)
def test_containers_are_told_apart(
    make_run: MakeRun, tmp_path: Path, codec: str, container: str, media_type: str | None, is_played: bool
) -> None:
    path = recordings.encoded(tmp_path / "a.html", SOUND, codec, container)
    assert found(make_run(path)) == Playback(media_type, is_played)


def test_film_is_a_video(make_run: MakeRun, tmp_path: Path) -> None:
    assert found(make_run(recordings.video(tmp_path / "a", SOUND))) == Playback("video/mp4", True)


def test_samples_without_a_header_need_a_copy(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(SOUND.tobytes())
    assert found(make_run(tmp_path / "a", raw_pcm=True)) == Playback(None, False)


def test_glued_recording_needs_a_copy(make_run: MakeRun, tmp_path: Path) -> None:
    one = recordings.wav(tmp_path / "a.wav", SOUND).read_bytes()
    (tmp_path / "two.wav").write_bytes(one + one)
    assert not found(make_run(tmp_path / "two.wav")).is_played


def test_second_track_needs_a_copy(make_run: MakeRun, tmp_path: Path) -> None:
    tracks = [containers.Track(SOUND, "aac"), containers.Track(SOUND, "aac")]
    path = containers.write(tmp_path / "a.mp4", "mp4", *tracks)
    assert found(make_run(path, audio_track=0)).is_played
    assert not found(make_run(path, audio_track=1)).is_played


def test_every_type_may_be_sent() -> None:
    kinds = [*playback.PLAYED, "matroska", "quicktime"]
    groups = {kind: ("audio", "video") if kind in playback.WITH_VIDEO else ("audio",) for kind in kinds}
    made = {playback.write_type(kind, group) for kind in kinds for group in groups[kind]}
    assert made == MEDIA_TYPES
