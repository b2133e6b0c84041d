"""Tasks that are decoded together hear the same words as alone: in shared batches, and side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.db.states import TRANSCRIPTION
from app.core.params import TranscriptionParams
from app.core.settings import Settings
from tests import recordings
from tests.real.speech import READ, Sentence, read_sentences
from tests.workers.conftest import SLOT
from workers.audio.decode import decode
from workers.device.device import Device
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.stages import batched, transcribe

CLIPS = 6
BATCH = 4


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Recordings of two or three sentences each."""
    folder, sound = tmp_path_factory.mktemp("clips"), recordings.speech(READ.with_suffix(".opus"))
    sentences = read_sentences(90.0)

    def cut(number: int) -> Path:
        own: list[Sentence] = sentences[number::CLIPS][:3]
        pieces = [sound[int(each.start * recordings.RATE) : int((each.end + 0.3) * recordings.RATE)] for each in own]
        return recordings.wav(folder / f"{number}.wav", np.concatenate(pieces))

    return [cut(number) for number in range(CLIPS)]


Hear = Callable[..., list[list[int]]]


@pytest.fixture(scope="module")
def hear(base_settings: Settings) -> Hear:
    """Decode clips on ``device``, one after the other or all at once; return the tokens of each."""
    models = WarmModels(SLOT, base_settings)

    def hear(clips: list[Path], device: str, together: bool) -> list[list[int]]:
        shared = Device(replace(SLOT, device=device), base_settings.workers)
        heard: dict[int, list[int]] = {}

        def run_clip(number: int) -> None:
            names = {"model_size": "base", "compute_type": "int8", "uvr_model_size": "", "enable_offload": False}
            params = TranscriptionParams(**names, batch_size=BATCH, lang="en")  # each clip is one window
            job = Job(str(number), 1, TRANSCRIPTION, params, [], str(clips[number]))
            run = Run(job, SLOT, base_settings, models, lambda report: None, device=shared)
            samples, model = decode(run), transcribe.load_model(run)
            plan = transcribe.make_plan(samples, model, run)
            run.slot = replace(SLOT, device=device)  # how windows are divided; the weights are on the CPU
            segments: list[Any] = transcribe.transcribe(samples, plan, False, run)
            heard[number] = [token for segment in segments for token in segment["tokens"]]

        threads = [threading.Thread(target=run_clip, args=(number,)) for number in range(len(clips))]
        for thread in threads:
            thread.start()
            if not together:
                thread.join()
        for thread in threads:
            thread.join()
        return [heard[number] for number in range(len(clips))]

    return hear


@pytest.fixture(scope="module")
def alone(hear: Hear, clips: list[Path]) -> list[list[int]]:
    tokens = hear(clips, "cpu", together=False)
    assert all(tokens)
    return tokens


def test_tasks_side_by_side_on_a_cpu_hear_the_same_words(hear: Hear, clips: list[Path], alone: list[list[int]]) -> None:
    assert hear(clips, "cpu", together=True) == alone


def test_tasks_that_share_batches_hear_the_same_words(
    hear: Hear, clips: list[Path], alone: list[list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    decode_windows = batched._decode_windows

    def note(given: list[Any], *arguments: Any) -> Any:
        sizes.append(len(given))
        return decode_windows(given, *arguments)

    monkeypatch.setattr(batched, "_decode_windows", note)
    assert hear(clips, "cuda", together=True) == alone
    assert 1 < max(sizes) <= BATCH and sum(sizes) == CLIPS
