"""Tasks that share models and a device: each gets the result that it gets alone, can be stopped, and lets others pass."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.settings import Settings
from tests import mixtures, recordings
from tests.recordings import RATE
from tests.service import SAMPLE, SAMPLES
from tests.workers.conftest import SLOT
from tests.workers.conversations import recording
from workers.audio.windows import Window
from workers.device.device import Device
from workers.device.run import Run
from workers.device.turns import Share, StoppedError
from workers.models.cache import WarmModels
from workers.stages import diarize, language, separate, sequential, vad
from workers.stages.decoder import copy_model, make_decoder

PATIENCE = 60.0
GERMAN = SAMPLES / "german.flac"
Stage = Callable[[Run], Any]


@pytest.fixture
def device(mini: Settings) -> Device:
    return Device(SLOT, mini.workers)


@pytest.fixture
def start(make_run: Callable[..., Run], device: Device) -> Callable[..., Run]:
    """Make a Run on the shared device which sends every report."""

    def make(path: Path = SAMPLE, note: Callable[[], None] = lambda: None, **params: Any) -> Run:
        run = make_run(path, **params)
        sent: list[Any] = []

        def send(report: Any) -> None:
            sent.append(report)
            if report.progress:  # not the one at the beginning of the stage
                note()

        clock = itertools.count()
        shared = Run(run.job, run.slot, run.settings, run._warm, send, lambda: next(clock), device=device)
        shared.sent = sent  # type: ignore[attr-defined]
        shared.enter("transcribe", until=1.0)
        return shared

    return make


def load(path: Path, seconds: float = 8.0) -> Any:
    sound = recordings.speech(path)[: int(seconds * RATE)]
    return sound.astype(np.float32) / 32768


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mixed")
    return mixtures.stereo_wav(folder / "a.wav", sum(mixtures.parts(6.0)))


def separating(run: Run) -> Any:
    return separate.separate_vocals(run, keep=False)


def diarizing(run: Run) -> Any:
    samples = load(Path(run.job.source), 21.0)  # several batches of pyannote's windows
    table, _ = diarize._find_turns(samples, run)
    return [(row.start, row.end, row.speaker) for row in table.itertuples()]


def detecting(run: Run) -> Any:
    samples = np.resize(load(Path(run.job.source)), 90 * RATE)
    model = copy_model(run.models.whisper("mini", "int8"))
    return language.detect_language(samples, [Window(0.0, 90.0, True)], model, run)


def decoding(run: Run) -> Any:
    samples = np.resize(load(Path(run.job.source)), 24 * RATE)
    model = copy_model(run.models.whisper("mini", "int8"))
    decoder = make_decoder(model, str(run.params.lang), run.params)
    return list(sequential.decode_sequential(samples, [Window(0.0, 24.0, True)], decoder, False, run))


def finding_speech(run: Run) -> Any:
    samples = np.resize(load(Path(run.job.source)), 300 * RATE)
    return vad.detect_speech(samples, run.params, advance=run.advance)


MUSIC = "mixed"  # stands for the recording of that fixture
PAIRS: dict[str, tuple[Stage, Any, dict[str, Any], Any, dict[str, Any]]] = {
    "separate": (separating, MUSIC, {"segment_size": 64}, MUSIC, {"segment_size": 100}),
    "diarize": (diarizing, recording("voices2"), {}, recording("conversation"), {"num_speakers": 2}),
    "detect": (
        detecting,
        SAMPLE,
        {"language_detection_segments": 3, "language_detection_threshold": 1.0},
        GERMAN,
        {"language_detection_segments": 2, "language_detection_threshold": 1.0},
    ),
    "decode": (decoding, SAMPLE, {"lang": "en", "chunk_length": 4}, GERMAN, {"lang": "de", "chunk_length": 6}),
    "vad": (finding_speech, SAMPLE, {}, GERMAN, {"threshold": 0.7}),
}


@pytest.fixture(params=PAIRS)
def pair(request: pytest.FixtureRequest, mixed: Path) -> Any:
    stage, *rest = PAIRS[request.param]
    return stage, *(mixed if each == MUSIC else each for each in rest)


def test_two_tasks_at_once_get_the_results_of_each_alone(pair: Any, start: Callable[..., Run]) -> None:
    stage, first, of_first, second, of_second = pair
    runs = [start(path, **params) for path, params in 2 * [(first, of_first), (second, of_second)]]
    alone = [stage(run) for run in runs[:2]]
    meeting = threading.Barrier(2)

    def compute(run: Run) -> Any:
        meeting.wait(PATIENCE)
        return stage(run)

    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(compute, runs[2:]))
    progress = [[report.progress for report in run.sent] for run in runs]  # type: ignore[attr-defined]
    assert progress[:2] == progress[2:]
    for one, other in zip(alone, together, strict=True):
        if isinstance(one, np.ndarray):
            np.testing.assert_allclose(one, other, atol=1e-5)
        else:
            assert one == other
    assert len(alone[0]) != len(alone[1]) or np.any(np.array(alone[0]) != np.array(alone[1])), "nothing was compared"


@pytest.fixture
def encodings(models: WarmModels, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """Functions that are called before Whisper encodes a window: the detection of a language has no progress."""
    called: list[Callable[[], None]] = []
    model = models.whisper("mini", "int8")
    encode = model.encode

    def noted(features: Any) -> Any:
        for function in called:
            function()
        return encode(features)

    monkeypatch.setattr(model, "encode", noted)
    yield called


@pytest.fixture
def watch(pair: Any, start: Callable[..., Run], encodings: list[Callable[[], None]]) -> Callable[..., tuple[Run, Any]]:
    """Make a Run of the stage that calls a function at each step."""

    def make(note: Callable[[], None]) -> tuple[Run, Any]:
        stage, path, params, *_ = pair
        if stage is not detecting:
            return start(path, note, **params), stage
        encodings.append(note)
        return start(path, **params), stage

    return make


def test_stopped_run_ends_inside_the_stage(watch: Callable[..., tuple[Run, Any]], device: Device) -> None:
    steps: list[int] = []

    def stop() -> None:
        steps.append(len(steps))
        device.turns.stop(run.share)

    run, stage = watch(stop)
    with pytest.raises(StoppedError):
        stage(run)
    assert steps == [0]
    with device.turns.take(Share()):  # nothing is kept
        pass


def test_other_task_has_a_turn_while_a_stage_runs(
    watch: Callable[..., tuple[Run, Any]], device: Device, pair: Any
) -> None:
    begun, passed = threading.Event(), threading.Event()
    steps: list[int] = []

    def note() -> None:
        steps.append(len(steps))
        begun.set()
        while not device.turns._waiting and not passed.wait(0.01):  # for the other task to wait for its turn
            pass

    run, stage = watch(note)
    with ThreadPoolExecutor(1) as threads:
        running = threads.submit(stage, run)
        assert begun.wait(PATIENCE)
        with device.turns.take(Share()):
            seen = len(steps)
            passed.set()
        running.result(PATIENCE)
    assert seen == 1 < len(steps), "it passes at the first step"
    assert (run.share.used > 0) is (stage is not finding_speech), "Silero needs no turn"
