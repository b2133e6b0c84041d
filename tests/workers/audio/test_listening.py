"""Decoding stores a waveform, and a copy only where browsers do not play the recording."""

from __future__ import annotations

import dataclasses
import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests import recordings
from workers.audio import listening
from workers.audio.decode import decode
from workers.device.run import Run
from workers.device.turns import StoppedError

MakeRun = Callable[..., Run]
SOUND = np.concatenate([(8000 * np.sin(np.arange(32_000) / 10)).astype(np.int16), recordings.silence(1)])


@pytest.fixture
def make_kept(make_run: MakeRun, mini: Any) -> MakeRun:
    """A Run of a task that has its folder in cache/."""

    def make(recording: Path, **params: Any) -> Run:
        run = make_run(recording, **params)
        run.job = dataclasses.replace(run.job, uuid=recording.parent.name)
        (mini.cache.path / run.job.uuid).mkdir(parents=True)
        return run

    return make


def stored(run: Run) -> dict[str, Path]:
    folder = run.settings.cache.path / run.job.uuid / "listening"
    return {path.name: path for path in folder.iterdir()} if folder.exists() else {}


def test_decoding_stores_a_waveform(make_kept: MakeRun, tmp_path: Path) -> None:
    run = make_kept(recordings.wav(tmp_path / "a.wav", SOUND))
    decode(run)
    assert set(stored(run)) == {"source.json"} and run.warnings == []
    waveform = json.loads(stored(run)["source.json"].read_text())
    assert waveform["length"] == 30 and waveform["data"][:2] == [-31, 31] and waveform["data"][-2:] == [0, 0]


@pytest.mark.parametrize(("container", "codec", "copied"), [("wav", "pcm_s16le", False), ("aiff", "pcm_s16be", True)])
def test_only_what_browsers_do_not_play_is_copied(
    make_kept: MakeRun, tmp_path: Path, container: str, codec: str, copied: bool
) -> None:
    run = make_kept(recordings.encoded(tmp_path / "a", SOUND, codec, container), listening_copy="auto")
    decode(run)
    assert ("copy.mp3" in stored(run)) == copied


def test_no_copy_is_made_unasked(make_kept: MakeRun, tmp_path: Path) -> None:
    run = make_kept(recordings.encoded(tmp_path / "a", SOUND, "pcm_s16be", "aiff"))
    decode(run)
    assert set(stored(run)) == {"source.json"}


def test_copy_has_the_sound_at_a_constant_bit_rate(make_kept: MakeRun, tmp_path: Path) -> None:
    run = make_kept(recordings.encoded(tmp_path / "a", SOUND, "pcm_s16be", "aiff"), listening_copy="auto")
    decode(run)
    with av.open(str(stored(run)["copy.mp3"])) as copy:
        stream = copy.streams.audio[0]
        assert (stream.rate, stream.channels, stream.codec_context.codec.canonical_name) == (16_000, 1, "mp3")
        sizes = {packet.size for packet in copy.demux(stream) if packet.size}
    assert max(sizes) - min(sizes) <= 1, "the frames differ by the padding only"
    heard = recordings.speech(stored(run)["copy.mp3"])
    assert len(heard) == pytest.approx(len(SOUND), abs=3000)
    assert abs(heard[2000:30_000]).max() > 7000 and abs(heard[-8000:]).max() < 500


def test_task_goes_on_without_a_waveform_on_a_full_disk(
    make_kept: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("app.core.storage.durable.sync_file", refuse)
    run = make_kept(recordings.encoded(tmp_path / "a", SOUND, "pcm_s16be", "aiff"), listening_copy="auto")
    assert len(decode(run)) == len(SOUND)
    assert [warning.partition(":")[0] for warning in run.warnings] == ["waveform", "listening_copy"]
    assert stored(run) == {}


def test_deleted_task_gets_no_folder_again(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(recordings.wav(tmp_path / "a.wav", SOUND))
    decode(run)
    assert stored(run) == {} and run.warnings == []


def test_stopped_run_leaves_no_half_copy(make_kept: MakeRun, tmp_path: Path) -> None:
    run = make_kept(recordings.wav(tmp_path / "a.wav", SOUND))

    def pieces() -> Any:
        yield np.zeros((1, 16_000), np.float32)
        run.device.turns.stop(run.share)
        yield np.zeros((1, 16_000), np.float32)

    with pytest.raises(StoppedError):
        listening.store_copy(run, pieces())
    assert stored(run) == {}
