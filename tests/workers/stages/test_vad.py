"""Voice activity detection finds speech, follows its parameters, and needs little memory."""

from __future__ import annotations

import importlib.util
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faster_whisper.vad
import numpy as np
import psutil
import pytest

from app.core.db.states import VAD
from app.core.params import VadParams
from app.core.settings import Settings
from tests import recordings
from tests.recordings import RATE, Sound
from tests.service import MINI
from tests.workers.conftest import SLOT
from workers.device.protocol import Job, Progress
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.pipelines import vad as pipeline
from workers.stages import vad

Found = Callable[..., list[tuple[float, float]]]
PEOPLE = Path(*importlib.util.find_spec("pyannote.audio").submodule_search_locations) / "sample"  # type: ignore[union-attr]
TALK = MINI / "samples" / "short.flac"
LEAST_F1 = 0.95  # calling all of that recording speech gives 0.86
MEBIBYTE = 2**20

# Two stretches of speech with 1 s between them, 3 s of silence, and a single short word; silence around them.
STRETCHES = [(3.0, 5.2), (6.2, 8.1), (11.1, 11.5)]
CUTS = [(2.93, 5.13), (5.95, 7.85), (2.92, 3.32)]


@pytest.fixture(scope="module")
def stretches(tmp_path_factory: pytest.TempPathFactory) -> Path:
    sound, pieces, at = recordings.speech(TALK), [], 0.0
    for (start, _), (first, last) in zip(STRETCHES, CUTS, strict=True):
        pieces += [recordings.silence(start - at), sound[int(first * RATE) : int(last * RATE)]]
        at = start + last - first
    return recordings.wav(tmp_path_factory.mktemp("vad") / "a.wav", np.concatenate([*pieces, recordings.silence(3)]))


@pytest.fixture
def make_run(mini: Settings, models: WarmModels) -> Callable[..., Run]:
    """A Run of /vad; its progress reports are in ``run.sent``."""

    def make(recording: Path, **asked: Any) -> Run:
        sent: list[Progress] = []
        run = Run(Job("test", 1, VAD, VadParams(**asked), [], str(recording)), SLOT, mini, models, sent.append)
        run.sent = sent  # type: ignore[attr-defined]
        return run

    return make


@pytest.fixture
def found(make_run: Callable[..., Run]) -> Found:
    """Run /vad, check the format of the result, and return its (start, end) pairs."""

    def find(recording: Path, **asked: Any) -> list[tuple[float, float]]:
        run = make_run(recording, **asked)
        kind, text = pipeline.run(run)
        result = json.loads(text)
        assert kind == "json" and all(set(stretch) == {"start", "end"} for stretch in result)
        times = [time for stretch in result for time in (stretch["start"], stretch["end"])]
        assert times == sorted(times) and all(isinstance(time, float) for time in times)
        assert all(0 <= time <= run.facts["audio_duration"] for time in times)
        assert all(stretch["start"] < stretch["end"] for stretch in result)
        assert run.warnings == []
        return [(stretch["start"], stretch["end"]) for stretch in result]

    return find


def close(found: list[tuple[float, float]], expected: list[tuple[float, float]], within: float = 0.25) -> bool:
    return len(found) == len(expected) and bool(np.all(np.abs(np.subtract(found, expected)) < within))


def seconds(stretches: list[tuple[float, float]]) -> float:
    return sum(end - start for start, end in stretches)


def test_speech_is_found_where_it_is(found: Found, stretches: Path) -> None:
    assert close(found(stretches, min_silence_duration_ms=500, speech_pad_ms=0)[-1:], STRETCHES[-1:])
    assert close(found(stretches, speech_pad_ms=0), [(3.0, 8.1), STRETCHES[2]])


def test_vad_detects_speech_of_real_people(found: Found) -> None:
    heard = found(PEOPLE / "sample.wav", speech_pad_ms=30, min_silence_duration_ms=100)
    turns = [line.split()[3:5] for line in (PEOPLE / "sample.rttm").read_text().splitlines()]
    truth = frames([(float(start), float(start) + float(length)) for start, length in turns])
    said = frames(heard)
    assert 2 * np.sum(said & truth) / (np.sum(said) + np.sum(truth)) >= LEAST_F1


def frames(stretches: list[tuple[float, float]]) -> Any:
    """Which of the 10 ms frames of half a minute lie in ``stretches``."""
    covered = np.zeros(3000, bool)
    for start, end in stretches:
        covered[round(100 * start) : round(100 * end)] = True
    return covered


def test_higher_threshold_finds_less_speech(found: Found, stretches: Path) -> None:
    assert (
        seconds(found(stretches, threshold=0.97)) < seconds(found(stretches)) < seconds(found(stretches, threshold=0))
    )
    assert found(stretches, threshold=1) == []


def test_short_speech_is_dropped(found: Found, stretches: Path) -> None:
    default, long = found(stretches), found(stretches, min_speech_duration_ms=1000)
    assert len(default) == 2 and long == default[:1]


@pytest.mark.parametrize("longest", [0.05, 0.5, 1.5, 3])
def test_long_speech_is_split_without_loss(found: Found, stretches: Path, longest: float) -> None:
    whole, split = found(stretches), found(stretches, max_speech_duration_s=longest)
    assert len(split) > len(whole)
    assert max(end - start for start, end in split) <= longest + 0.002
    assert seconds(split) == pytest.approx(seconds(whole), abs=0.2)


def test_infinite_maximum_does_not_split_speech(found: Found, stretches: Path) -> None:
    assert found(stretches, max_speech_duration_s=math.inf) == found(stretches)


def test_shorter_silence_ends_speech(found: Found, stretches: Path) -> None:
    counts = [len(found(stretches, min_silence_duration_ms=shortest)) for shortest in (500, 2000, 5000)]
    assert counts[0] > counts[1] > counts[2] == 1


def test_padding_widens_both_sides(found: Found, stretches: Path) -> None:
    bare, padded = found(stretches, speech_pad_ms=0), found(stretches, speech_pad_ms=300)
    assert close(padded, [(start - 0.3, end + 0.3) for start, end in bare], within=0.002)
    assert len(found(stretches, speech_pad_ms=100_000)) == len(bare)


def test_silence_noise_and_a_single_sample_hold_no_speech(found: Found, tmp_path: Path) -> None:
    hiss = (300 * np.random.default_rng(1).standard_normal(10 * RATE)).astype(np.int16)
    for sound in (recordings.silence(10), hiss, np.full(1, 20_000, np.int16)):
        assert found(recordings.wav(tmp_path / "a.wav", sound)) == []


@pytest.mark.parametrize("samples", [511, 512, 513, 16_000])
def test_speech_up_to_the_very_end_ends_with_the_recording(found: Found, tmp_path: Path, samples: int) -> None:
    sound: Sound = recordings.speech(TALK)[: RATE + samples]
    assert found(recordings.wav(tmp_path / "a.wav", sound), threshold=0, speech_pad_ms=0) == [
        (0.0, round(len(sound) / RATE, 3))
    ]


def test_progress_passes_through_both_stages_and_never_falls(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(recordings.wav(tmp_path / "a.wav", np.tile(recordings.speech(TALK), 20)))
    run._clock = iter(range(10**6)).__next__  # every report is sent
    pipeline.run(run)
    sent = run.sent  # type: ignore[attr-defined]
    assert list(dict.fromkeys(report.stage for report in sent)) == ["decode", "vad"]
    assert [report.progress for report in sent] == sorted(report.progress for report in sent)
    assert len([report for report in sent if report.stage == "vad"]) > 5 and sent[-1].progress == 1.0


def test_blocks_give_the_same_speech_as_the_whole_recording() -> None:
    samples = np.tile(recordings.speech(TALK).astype(np.float32) / 32768, 10)
    samples = samples[: len(samples) // vad.WINDOW * vad.WINDOW]
    assert len(samples) > 2 * vad.BLOCK
    expected = faster_whisper.vad.SileroVADModel.__call__(vad.whole(), samples).reshape(-1)
    np.testing.assert_allclose(vad.load_silero()(samples), expected, atol=1e-4)


def test_an_hour_takes_little_more_memory_than_its_samples() -> None:
    params = VadParams()
    minute = np.tile(recordings.speech(TALK).astype(np.float32) / 32768, 4)[: 60 * RATE]
    hour = np.tile(minute, 60)
    vad.detect_speech(minute, params)
    process, highest = psutil.Process(), 0
    before = process.memory_info().rss

    def watch(fraction: float) -> None:
        nonlocal highest
        highest = max(highest, process.memory_info().rss)

    vad.detect_speech(hour, params, advance=watch)
    assert highest - before < hour.nbytes + 64 * MEBIBYTE
