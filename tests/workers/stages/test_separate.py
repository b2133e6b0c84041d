"""Separation on the mini model: the voice has its channel and time, and silence stays silent."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.errors import SpeechError
from tests import mixtures, recordings
from tests.mixtures import LEFT, RATE, RIGHT, level, si_sdr
from workers.device.run import Run
from workers.pipelines import bgm_separation
from workers.stages import separate

MakeRun = Callable[..., Run]
SECONDS = 16.0
GAIN_VOCALS, GAIN_OTHER = 8.0, 6.0


@pytest.fixture
def separation(make_run: MakeRun, mini: Any) -> MakeRun:
    """A Run of a task that has its folder in cache/."""

    def make(recording: Path, claim_no: int = 1, **params: Any) -> Run:
        run = make_run(recording, **params)
        run.job = dataclasses.replace(
            run.job, uuid=recording.parent.name, claim_no=claim_no, task_type="bgm-separation"
        )
        (mini.cache.path / run.job.uuid).mkdir(parents=True, exist_ok=True)
        return run

    return make


def folder(run: Run) -> Path:
    return run.settings.cache.path / run.job.uuid / f"stems-{run.job.claim_no}"


def stems(run: Run) -> dict[str, mixtures.Sound]:
    """Run the pipeline and decode its stems."""
    kind, text = bgm_separation.run(run)
    assert kind == "filepath"
    return {file["stem"]: mixtures.heard(folder(run) / file["name"])[0] for file in json.loads(text)["files"]}


@pytest.fixture(scope="module")
def known() -> tuple[mixtures.Sound, mixtures.Sound]:
    return mixtures.parts(SECONDS)


def test_voice_and_music_are_separated(separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]) -> None:
    voice, music = known
    mixture = voice + music
    got = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", mixture)))
    assert got["vocals"].shape == got["instrumental"].shape == mixture.shape
    assert si_sdr(got["vocals"], voice) - si_sdr(mixture, voice) >= GAIN_VOCALS
    assert si_sdr(got["instrumental"], music) - si_sdr(mixture, music) >= GAIN_OTHER
    assert level(mixture - got["vocals"] - got["instrumental"], mixture) <= -30


def test_voice_keeps_its_stereo_position(
    separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]
) -> None:
    got = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(known))))
    assert level(got["vocals"][0], got["vocals"][1]) == pytest.approx(20 * np.log10(LEFT / RIGHT), abs=1.5)


def test_long_recording_has_no_seams(
    separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(known))))
    monkeypatch.setattr(separate, "WINDOW_SECONDS", 6.0)
    windowed = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(known))))
    assert windowed["vocals"].shape == whole["vocals"].shape
    assert si_sdr(windowed["vocals"], known[0]) >= si_sdr(whole["vocals"], known[0]) - 1.5
    assert level(sum(known) - sum(windowed.values()), sum(known)) <= -30


def test_speech_alone_is_vocals(separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]) -> None:
    got = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", known[0])))
    assert si_sdr(got["vocals"], known[0]) >= 10
    assert level(got["instrumental"], known[0]) <= -10


def test_music_alone_is_not_vocals(separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]) -> None:
    got = stems(separation(mixtures.stereo_wav(tmp_path / "a.wav", known[1])))
    assert level(got["vocals"], known[1]) <= -10


@pytest.mark.parametrize("seconds", [0.001, 0.5, 5.0])
def test_silence_is_two_silent_stems(separation: MakeRun, tmp_path: Path, seconds: float) -> None:
    run = separation(recordings.wav(tmp_path / "a.wav", recordings.silence(seconds)))
    got = stems(run)
    assert {part.shape for part in got.values()} == {(2, int(seconds * RATE))}
    assert max(abs(part).max() for part in got.values()) < 1e-3
    assert run.facts["audio_duration"] == pytest.approx(seconds, abs=0.001)


def test_recording_and_stems_have_waveforms(separation: MakeRun, tmp_path: Path) -> None:
    loud = np.full(RATE, 16_384, np.int16)
    recording = recordings.wav(tmp_path / "a.wav", np.concatenate((recordings.silence(1), loud[: recordings.RATE])))
    run = separation(recording)
    stems(run)
    listening = folder(run).parent / "listening"
    waveforms = {path.stem: json.loads(path.read_text()) for path in listening.iterdir()}
    assert set(waveforms) == {"source", "vocals", "instrumental"}
    assert {each["sample_rate"] for each in waveforms.values()} == {RATE}
    assert {each["length"] for each in waveforms.values()} == {20}
    assert max(waveforms["source"]["data"][:20]) <= 1 and max(waveforms["source"]["data"][-10:]) > 50


def test_separation_makes_a_listening_copy(separation: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(mixtures.SAMPLE)[: 3 * recordings.RATE]
    run = separation(recordings.encoded(tmp_path / "a.aiff", sound, "pcm_s16be", "aiff"), listening_copy="auto")
    stems(run)
    heard = recordings.speech(folder(run).parent / "listening" / "copy.mp3")
    assert len(heard) / recordings.RATE == pytest.approx(3, abs=0.2)


def test_stems_have_the_rate_and_channels_of_the_model(separation: MakeRun, tmp_path: Path) -> None:
    sound = recordings.speech(mixtures.SAMPLE)
    run = separation(recordings.wav(tmp_path / "a.wav", np.repeat(sound, 3)[: 5 * 48_000], rate=48_000))
    assert {part.shape[0] for part in stems(run).values()} == {2}
    for path in folder(run).iterdir():
        heard, rate = mixtures.heard(path)
        assert rate == RATE and abs(heard.shape[1] - 5 * RATE) <= 2


def test_nan_samples_give_finite_stems(separation: MakeRun, tmp_path: Path) -> None:
    sound = (recordings.speech(mixtures.SAMPLE)[: 3 * RATE] / 32768).astype(np.float32)
    sound[1000], sound[2000:2010], sound[3000] = np.nan, np.inf, 1e30
    got = stems(separation(recordings.float_wav(tmp_path / "a.wav", sound)))
    assert all(np.isfinite(part).all() and 0 < abs(part).max() <= 1 for part in got.values())


def test_progress_rises_with_the_segments(separation: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.device.run.REPORT_SECONDS", 0.0)
    run = separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(mixtures.parts(30))), segment_size=128)
    bgm_separation.run(run)
    seen = [message.progress for message in run.sent]  # type: ignore[attr-defined]
    assert {message.stage for message in run.sent} == {"separate"}  # type: ignore[attr-defined]
    assert seen == sorted(seen) and len(set(seen)) > 5 and 0.6 < seen[-1] <= 1
    # the length is needed for estimates before all is decoded
    assert {message.facts["audio_duration"] for message in run.sent[1:]} == {30.0}  # type: ignore[attr-defined]


def test_segment_size_changes_what_the_model_sees(
    separation: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        separate,
        "_separate_window",
        lambda window, separator, *_: asked.append(separator._segment) or np.stack([window, window]),
    )
    recording = recordings.wav(tmp_path / "a.wav", recordings.silence(2))
    for size in (None, 64, 256):
        run = separation(recording, segment_size=size)
        bgm_separation.run(run)
        assert run.warnings == []
    assert asked == [10.0, pytest.approx(64 * 1024 / 44_100), pytest.approx(256 * 1024 / 44_100)]


def test_too_large_segment_size_is_limited_with_a_warning(separation: MakeRun, tmp_path: Path) -> None:
    run = separation(recordings.wav(tmp_path / "a.wav", recordings.silence(2)), segment_size=4000)
    bgm_separation.run(run)
    assert [warning.split(":")[0] for warning in run.warnings] == ["segment_size"]


def test_result_is_the_same_every_time(separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]) -> None:
    recording = mixtures.stereo_wav(tmp_path / "a.wav", sum(known)[:, : 4 * RATE])
    first, second = (json.loads(bgm_separation.run(separation(recording))[1]) for _ in range(2))
    assert first == second
    assert first["vocal_hash"] == next(file["sha256"] for file in first["files"] if file["stem"] == "vocals")


def test_failure_leaves_no_files(separation: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("broken")

    monkeypatch.setattr(separate, "_separate_window", broken)
    run = separation(recordings.wav(tmp_path / "a.wav", recordings.silence(2)))
    with pytest.raises(RuntimeError):
        bgm_separation.run(run)
    assert list(folder(run).parent.iterdir()) == []


def test_recording_without_samples_leaves_no_files(separation: MakeRun, tmp_path: Path) -> None:
    run = separation(recordings.wav(tmp_path / "a.wav", recordings.silence(0)))
    with pytest.raises(SpeechError) as caught:
        bgm_separation.run(run)
    assert caught.value.code == "invalid_media"
    assert list(folder(run).parent.iterdir()) == []


def test_files_of_earlier_attempts_are_removed(separation: MakeRun, tmp_path: Path) -> None:
    recording = recordings.wav(tmp_path / "a.wav", recordings.silence(1))
    run = separation(recording, claim_no=3)
    for name in ("stems-1.partial", "stems-2"):
        (folder(run).parent / name).mkdir()
    bgm_separation.run(run)
    assert sorted(path.name for path in folder(run).parent.iterdir()) == ["listening", "stems-3"]


def test_full_disk_is_refused_before_anything_is_written(separation: MakeRun, tmp_path: Path) -> None:
    run = separation(recordings.wav(tmp_path / "a.wav", recordings.silence(1)))
    limits = dataclasses.replace(run.settings.limits, min_free_mb=10**9)
    run.settings = dataclasses.replace(run.settings, limits=limits)
    with pytest.raises(SpeechError) as caught:
        bgm_separation.run(run)
    assert caught.value.code == "insufficient_storage"
    assert list(folder(run).parent.iterdir()) == []


def test_vocals_for_transcription_are_the_voice_alone(
    separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]
) -> None:
    run = separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(known)))
    speech = separate.separate_vocals(run, keep=False)
    spoken = known[0].mean(0)
    assert abs(len(speech) - len(spoken)) <= 2
    assert si_sdr(speech[: len(spoken)], spoken[: len(speech)]) - si_sdr(sum(known).mean(0), spoken) >= GAIN_VOCALS
    assert list(folder(run).parent.iterdir()) == []


def test_kept_stems_are_those_that_are_transcribed(
    separation: MakeRun, tmp_path: Path, known: tuple[mixtures.Sound, ...]
) -> None:
    run = separation(mixtures.stereo_wav(tmp_path / "a.wav", sum(known)[:, : 5 * RATE]), stem_format="flac")
    speech = separate.separate_vocals(run, keep=True)
    assert sorted(path.name for path in folder(run).iterdir()) == ["instrumental.flac", "vocals.flac"]
    kept, _ = mixtures.heard(folder(run) / "vocals.flac")
    assert abs(kept.mean(0) - speech[: kept.shape[1]]).max() < 1e-3
