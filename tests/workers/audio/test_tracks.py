"""Of several audio tracks, the one that a player takes is decoded, unless it is silent or its codec is unknown."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import recordings
from tests.containers import EXACT, Track, bursts, heard, write
from workers.audio import formats
from workers.audio.decode import decode
from workers.device.run import Run

MakeRun = Callable[..., Run]
SECONDS = 8.0
FIRST, SECOND, THIRD = (bursts(SECONDS, *np.arange(at, SECONDS, 0.5)) for at in (0.0, 0.15, 0.3))
SILENT = recordings.silence(SECONDS)


def chosen(run: Run) -> int:
    """Decode, and tell which of the three sounds it is."""
    return round(heard(decode(run))[0] / 0.15)


def with_track(run: Run, number: int) -> Run:
    run.job = dataclasses.replace(run.job, params=dataclasses.replace(run.params, audio_track=number))
    return run


@pytest.mark.parametrize("container", ["matroska", "mp4", "mpegts"])
def test_first_track_is_decoded_when_none_is_marked(make_run: MakeRun, tmp_path: Path, container: str) -> None:
    path = write(tmp_path / "a", container, Track(FIRST, "aac", default=False), Track(SECOND, "aac", default=False))
    run = make_run(path)
    assert chosen(run) == 0
    assert run.warnings == []


def test_higher_rate_and_more_channels_do_not_win(make_run: MakeRun, tmp_path: Path) -> None:
    german = np.repeat(bursts(SECONDS, *np.arange(0.15, SECONDS, 0.5), rate=48_000)[None], 2, axis=0)
    tracks = Track(FIRST, "aac", default=False), Track(german, "flac", rate=48_000, layout="stereo", default=False)
    run = make_run(write(tmp_path / "a.mkv", "matroska", *tracks))
    assert chosen(run) == 0
    assert run.warnings == []


@pytest.mark.parametrize("number", [1, 2])
def test_track_marked_as_default_is_decoded(make_run: MakeRun, tmp_path: Path, number: int) -> None:
    tracks = [Track(sound, default=at == number) for at, sound in enumerate((FIRST, SECOND, THIRD))]
    run = make_run(write(tmp_path / "a.mkv", "matroska", *tracks))
    assert chosen(run) == number
    assert run.warnings == []


@pytest.mark.parametrize("codec", ["pcm_s16le", "aac", "libopus", "flac"])
def test_silent_track_is_passed_over_with_a_warning_that_names_the_others(
    make_run: MakeRun, tmp_path: Path, codec: str
) -> None:
    tracks = [
        Track(SILENT, codec, metadata={"title": "Desktop", "language": "eng"}),
        Track(SECOND, codec, metadata={"title": "Microphone"}),
        Track(THIRD, codec, metadata={"language": "ger"}),
    ]
    run = make_run(write(tmp_path / "a.mkv", "matroska", *tracks))
    assert chosen(run) == 1
    (warning,) = run.warnings
    assert warning.startswith('audio_track: track 1 ("Microphone", ') and "track 0 is silent" in warning
    assert '0 (eng, "Desktop", ' in warning and "2 (ger, " in warning


def test_track_with_one_short_sound_is_passed_over(make_run: MakeRun, tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", "matroska", Track(bursts(SECONDS, 3.0)), Track(SECOND + THIRD))
    run = make_run(path)
    assert heard(decode(run))[0] == pytest.approx(0.15, abs=EXACT)
    assert len(run.warnings) == 1


def test_track_that_begins_with_silence_is_kept(make_run: MakeRun, tmp_path: Path) -> None:
    late = bursts(SECONDS, *np.arange(4.0, SECONDS, 0.2))
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(late), Track(SECOND)))
    assert heard(decode(run))[0] == pytest.approx(4.0, abs=EXACT)
    assert run.warnings == []


def test_silent_recording_is_silent_on_all_tracks(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(write(tmp_path / "a.mkv", "matroska", Track(SILENT), Track(SILENT)))
    assert not decode(run).any()
    assert run.warnings == []


@pytest.mark.parametrize(("unknown", "wanted"), [(0, 1), (1, 0)])
def test_track_of_an_unknown_codec_is_passed_over(make_run: MakeRun, tmp_path: Path, unknown: int, wanted: int) -> None:
    codecs = ["aac", "aac"]
    codecs[unknown] = "pcm_s16le"
    path = write(tmp_path / "a.mov", "mov", Track(FIRST, codecs[0]), Track(SECOND, codecs[1]))
    assert path.read_bytes().count(b"sowt") == 1
    path.write_bytes(path.read_bytes().replace(b"sowt", b"apac"))
    run = make_run(path)
    assert chosen(run) == wanted
    assert [warning.split(":")[0] for warning in run.warnings] == (["audio_track"] if unknown == 0 else [])
    assert all("track 0 cannot be decoded" in warning for warning in run.warnings)
    with pytest.raises(SpeechError, match="unsupported_media"):
        decode(with_track(make_run(path), unknown))


@pytest.mark.parametrize("number", [0, 1, 2])
def test_audio_track_chooses_the_track(make_run: MakeRun, tmp_path: Path, number: int) -> None:
    tracks = [Track(SILENT if number == 0 else FIRST), Track(SECOND), Track(THIRD, default=True)]
    run = with_track(make_run(write(tmp_path / "a.mkv", "matroska", *tracks)), number)
    samples = decode(run)
    assert round(heard(samples)[0] / 0.15) == number if number else not samples.any()
    assert run.warnings == []


@pytest.mark.parametrize(("tracks", "counted"), [(1, "1 audio track"), (2, "2 audio tracks")])
def test_audio_track_that_does_not_exist_fails_and_tells_how_many_there_are(
    make_run: MakeRun, tmp_path: Path, tracks: int, counted: str
) -> None:
    path = write(tmp_path / "a.mkv", "matroska", *[Track(FIRST)] * tracks, picture=1.0)
    with pytest.raises(SpeechError) as caught:
        decode(with_track(make_run(path), tracks))
    assert caught.value.code == "invalid_parameters"
    assert f"audio_track {tracks} does not exist" in caught.value.message and counted in caught.value.message


def test_single_track_is_read_once(make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    whole = formats._open
    monkeypatch.setattr(formats, "_open", lambda *given: opened.append(given) or whole(*given))
    decode(make_run(write(tmp_path / "a.mkv", "matroska", Track(SILENT), picture=1.0)))
    assert len(opened) == 1
