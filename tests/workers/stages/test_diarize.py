"""Diarization on the mini models; a failure gives a warning and a transcript without speakers."""

from __future__ import annotations

import dataclasses
import json
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import torch
import whisperx
from whisperx.diarize import DiarizationPipeline

from app.core.params import DiarizationOptions, TranscriptionParams
from app.core.settings import Diarization, Settings
from tests import recordings
from tests.service import MINI
from tests.workers.conftest import SLOT
from tests.workers.conversations import NAMES, error_rate, match_speakers, recording, truth
from workers.device.patches import bound_clustering
from workers.device.protocol import Job, Progress
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.stages import diarize

Transcribed = Callable[..., tuple[list[dict[str, Any]], Run]]
Turns = list[tuple[float, float, str]]
MOST_WRONG = {"voices2": 0.12, "voices3": 0.12, "conversation": 0.12}
MOST_LATE_SECONDS = 0.1
FEWEST_WORDS_RIGHT = 0.9
PAGE = "https://huggingface.co/pyannote/speaker-diarization-community-1"


@pytest.fixture(scope="module")
def turns(models: WarmModels, mini: Settings, parameters: Callable[..., TranscriptionParams]) -> dict[str, Turns]:
    """The speaker turns found in each conversation, without any hints."""
    run = Run(Job("test", 1, "transcription", parameters(is_diarize=True), [], ""), SLOT, mini, models, lambda _: None)
    heard = {}
    for name in NAMES:
        samples = recordings.speech(recording(name)).astype(np.float32) / 32768
        table, _ = diarize._find_turns(samples, run)
        heard[name] = [(row.start, row.end, row.speaker) for row in table.itertuples()]
    return heard


@pytest.mark.parametrize("name", NAMES)
def test_speaker_turns_match_the_reference(turns: dict[str, Turns], name: str) -> None:
    assert error_rate(name, turns[name]) <= MOST_WRONG[name]
    assert len({speaker for *_, speaker in turns[name]}) == len({turn["speaker"] for turn in truth(name)["turns"]})


@pytest.mark.parametrize("name", NAMES)
def test_speaker_turns_are_not_shifted(turns: dict[str, Turns], name: str) -> None:
    late = [late_by(turns[name], truth(name)["turns"], edge) for edge in ("start", "end")]
    assert abs(np.mean(late)) <= MOST_LATE_SECONDS


def late_by(heard: Turns, spoken: list[dict[str, Any]], edge: str) -> float:
    """The median of the seconds from a turn's start (or end) to the nearest one that was found."""
    times = np.array([turn[("start", "end").index(edge)] for turn in heard])
    return float(np.median([times[abs(times - turn[edge]).argmin()] - turn[edge] for turn in spoken]))


@pytest.mark.parametrize("name", NAMES)
def test_error_limit_detects_lost_time_and_swapped_speakers(turns: dict[str, Turns], name: str) -> None:
    heard = turns[name]
    cut = [(start - 1, end - 1, speaker) for start, end, speaker in heard if start >= 1]
    swapped = [
        (start, end, heard[(n + 1) % len(heard)][2] if n % 4 == 0 else who) for n, (start, end, who) in enumerate(heard)
    ]
    assert error_rate(name, cut) > MOST_WRONG[name]
    assert error_rate(name, swapped) > MOST_WRONG[name]


@pytest.fixture(scope="module")
def spoken(models: WarmModels, mini: Settings, parameters: Callable[..., TranscriptionParams]) -> Transcribed:
    """Transcribe with speakers, once per module for each recording and set of parameters."""
    from workers.pipelines import transcription

    done: dict[str, tuple[list[dict[str, Any]], Run]] = {}

    def transcribe(path: Path, **params: Any) -> tuple[list[dict[str, Any]], Run]:
        key = f"{path}{params}"
        if key not in done:
            sent: list[Progress] = []
            job = Job("test", 1, "transcription", parameters(is_diarize=True, **params), [], str(path))
            run = Run(job, SLOT, mini, models, sent.append)
            run.sent = sent  # type: ignore[attr-defined]
            done[key] = json.loads(transcription.run(run)[1]), run
        return done[key]

    return transcribe


def speakers(segments: list[dict[str, Any]]) -> set[str]:
    return {segment["speaker"] for segment in segments}


def test_words_get_the_right_speaker(spoken: Transcribed) -> None:
    segments, run = spoken(recording("voices3"), speaker_embeddings=True)
    words = [word for segment in segments for word in segment["words"]]
    names = match_speakers("voices3", [(s["start"], s["end"], s["speaker"]) for s in segments])
    right = sum(names.get(word["speaker"]) == voice_at((word["start"] + word["end"]) / 2) for word in words)
    assert right >= FEWEST_WORDS_RIGHT * len(words)
    assert len(words) >= 0.7 * len(truth("voices3")["words"])
    assert run.warnings == []


def voice_at(time: float) -> str:
    """The voice of the reference turn nearest to ``time``."""
    known = truth("voices3")["turns"]
    return str(min(known, key=lambda turn: max(turn["start"] - time, time - turn["end"], 0.0))["speaker"])


def test_each_segment_has_one_speaker(spoken: Transcribed) -> None:
    segments, run = spoken(recording("voices3"), speaker_embeddings=True)
    assert segments
    before = 0.0
    for number, segment in enumerate(segments):
        assert segment["id"] == number
        assert before <= segment["start"] <= segment["end"] <= run.facts["audio_duration"]
        assert segment["speaker"].startswith("SPEAKER_") and segment["tokens"]
        assert {word["speaker"] for word in segment["words"]} <= {segment["speaker"]}
        assert " ".join(word["word"] for word in segment["words"]) == segment["text"]
        before = segment["start"]


def test_embeddings_are_returned_for_each_speaker_on_request(spoken: Transcribed) -> None:
    segments, run = spoken(recording("voices3"), speaker_embeddings=True)
    embeddings = json.loads(run.speaker_embeddings or "null")
    assert set(embeddings) == speakers(segments)
    assert {len(vector) for vector in embeddings.values()} == {64}
    assert spoken(recording("voices3"), num_speakers=2)[1].speaker_embeddings is None


def test_number_of_speakers_is_obeyed(spoken: Transcribed) -> None:
    path = recording("voices3")
    assert len(speakers(spoken(path, num_speakers=2)[0])) == 2
    assert len(speakers(spoken(path, max_speakers=2)[0])) == 2
    assert len(speakers(spoken(recording("voices2"), min_speakers=3)[0])) == 3
    assert len(speakers(spoken(path, num_speakers=1)[0])) == 1


def test_diarization_reports_progress(spoken: Transcribed) -> None:
    _, run = spoken(recording("voices3"), speaker_embeddings=True)
    sent = run.sent  # type: ignore[attr-defined]
    assert list(dict.fromkeys(report.stage for report in sent)) == ["decode", "transcribe", "align", "diarize"]
    assert [r.progress for r in sent] == sorted(r.progress for r in sent)
    assert len({r.progress for r in sent if r.stage == "diarize"}) >= 4


def test_impossible_number_of_speakers_is_reported(spoken: Transcribed) -> None:
    segments, run = spoken(recording("voices2"), min_speakers=1000)
    assert segments
    assert any("min_speakers" in warning or "found no speakers" in warning for warning in run.warnings)


def test_silence_has_no_speakers(spoken: Transcribed, tmp_path: Path) -> None:
    silent = recordings.wav(tmp_path / "a.wav", recordings.silence(8))
    segments, run = spoken(silent, speaker_embeddings=True)
    assert segments == [] and (run.speaker_embeddings, run.speaker_turns) == ("{}", "[]")


def test_recording_without_speakers_gives_a_warning(spoken: Transcribed, monkeypatch: pytest.MonkeyPatch) -> None:
    diarizer = WarmModels.diarizer

    def deaf(self: WarmModels, user: Any) -> Any:
        return Deaf(diarizer(self, user).model)

    monkeypatch.setattr(WarmModels, "diarizer", deaf)
    segments, run = spoken(recording("voices2"), batch_size=4)
    assert segments and speakers(segments) == {None}
    assert run.warnings == ["Diarization found no speakers."]


class Deaf(DiarizationPipeline):  # type: ignore[misc]
    """A diarizer that hears silence."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def __call__(self, audio: Any, *args: Any, **kwargs: Any) -> Any:
        return super().__call__(np.zeros_like(audio), *args, **kwargs)


def test_very_short_recordings_are_diarized(spoken: Transcribed, tmp_path: Path) -> None:
    sound = recordings.speech(recording("voices2"))
    first = int(truth("voices2")["words"][0]["start"] * recordings.RATE)
    for seconds in (0.2, 0.7, 2.0):
        piece = sound[first : first + int(seconds * recordings.RATE)]
        segments, _ = spoken(recordings.wav(tmp_path / f"{seconds}.wav", piece), speaker_embeddings=True)
        assert all(set(segment) >= {"speaker", "words"} for segment in segments)


def test_failing_diarization_gives_no_speakers_but_a_warning(
    spoken: Transcribed, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("injected")

    monkeypatch.setattr(DiarizationPipeline, "__call__", broken)
    segments, run = spoken(recording("voices2"), batch_size=2)
    assert segments and speakers(segments) == {None}
    assert run.warnings == ["Diarization failed on this recording (RuntimeError); see the server log."]


def warning_with(mini: Settings, tmp_path: Path, model: str, token: str = "") -> str:
    """The warning of a task on a server with this model and token."""
    settings = dataclasses.replace(
        mini,
        models=dataclasses.replace(mini.models, path=tmp_path),
        diarization=Diarization(model=model),
        hf_token=token,
    )
    said: list[str] = []
    run: Any = SimpleNamespace(
        params=DiarizationOptions(),
        settings=settings,
        models=WarmModels(SLOT, settings),
        warn=said.append,
        job=SimpleNamespace(uuid="test"),
    )
    segments: Any = [{"text": "kept"}]
    assert diarize.diarize(segments, np.zeros(16_000, np.float32), str, run) == [{"text": "kept"}]
    (warning,) = said
    return warning


def test_without_a_network_the_warning_says_what_to_do(
    mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket.socket, "connect", unreachable)
    without = warning_with(mini, tmp_path, "pyannote/speaker-diarization-community-1")
    assert without.startswith("Diarization is not available: ")
    assert PAGE in without and "set HF_TOKEN" in without and "HF_TOKEN is not set" in without
    given = warning_with(mini, tmp_path, "pyannote/speaker-diarization-community-1", token="hf_secret")
    assert PAGE in given and "could not be downloaded" in given and "hf_secret" not in given


def unreachable(*_: Any) -> None:
    raise OSError("injected: no network")


def test_refused_token_names_the_pages_to_accept(
    mini: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str | None] = []

    def refuse(*_: Any, token: str | None = None, **__: Any) -> str:
        asked.append(token)
        error = huggingface_hub.errors.HfHubHTTPError.__new__(huggingface_hub.errors.GatedRepoError)
        error.response = SimpleNamespace(status_code=403)  # type: ignore[assignment]
        raise error

    monkeypatch.setattr("huggingface_hub.HfApi.model_info", lambda *_, **__: SimpleNamespace(siblings=[]))
    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    warning = warning_with(mini, tmp_path, "pyannote/speaker-diarization-3.1", token="hf_secret")
    assert "refused" in warning and "HF_TOKEN" in warning and "hf_secret" not in warning
    for page in ("speaker-diarization-3.1", "segmentation-3.0", "speaker-diarization-community-1"):
        assert f"https://huggingface.co/pyannote/{page}" in warning
    assert asked == ["hf_secret"]


def test_broken_diarization_model_is_reported(mini: Settings, tmp_path: Path) -> None:
    shutil.copytree(MINI / "diarization", tmp_path / "broken")
    (tmp_path / "broken" / "embedding" / "pytorch_model.bin").write_bytes(b"not a model")
    assert "'broken' on this machine is broken" in warning_with(mini, tmp_path, "broken")


def test_no_telemetry_is_sent(
    mini: Settings, models: WarmModels, monkeypatch: pytest.MonkeyPatch, turns: dict[str, Turns]
) -> None:
    from pyannote.audio.telemetry.metrics import provider

    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: called.append(address) or unreachable())
    samples = recordings.speech(recording("voices2"))[:80_000].astype(np.float32) / 32768
    WarmModels(SLOT, mini).diarizer()(samples)
    provider.force_flush()  # sends what is pending
    assert called == []


def test_the_model_is_kept_or_freed_as_configured(mini: Settings) -> None:
    models = WarmModels(SLOT, mini)
    assert models.diarizer() is models.diarizer()
    kept = models.diarizer()
    for offload, same in ((False, True), (True, False)):
        settings = dataclasses.replace(mini, diarization=dataclasses.replace(mini.diarization, enable_offload=offload))
        job = Job("test", 1, "transcription", DiarizationOptions(), [], "")
        run = Run(job, SLOT, settings, models, lambda _: None)
        diarize.diarize([{"words": []}], np.zeros(16_000, np.float32), str, run)  # type: ignore[typeddict-item]
        run.models.give_back()
        assert (models.diarizer() is kept) is same


def test_clustering_is_limited(models: WarmModels) -> None:
    pipeline = models.diarizer().model
    seen: list[int] = []

    def filtered(*_: Any, **__: Any) -> tuple[Any, Any, Any]:
        return np.arange(100).reshape(50, 2), np.arange(50), np.zeros(50, int)

    fake = SimpleNamespace(clustering=SimpleNamespace(filter_embeddings=filtered))
    bound_clustering(fake, most=10)
    embeddings, chunks, _ = fake.clustering.filter_embeddings()
    assert len(embeddings) == 10 and chunks[0] == 0 and chunks[-1] == 49
    assert (embeddings[:, 0] == 2 * chunks).all()
    cluster = pipeline.clustering.cluster
    bound_clustering(pipeline, most=8)
    try:
        pipeline.clustering.cluster = lambda found, **kwargs: seen.append(len(found)) or cluster(found, **kwargs)
        samples = recordings.speech(recording("voices2")).astype(np.float32) / 32768
        table = models.diarizer()(samples)
    finally:
        models.free("diarize")
    assert seen == [8] and len(table)


def test_segmentation_is_the_one_in_whisperx() -> None:
    def weights(path: Path) -> dict[str, torch.Tensor]:
        state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=False)["state_dict"]
        return state

    ours = weights(MINI / "diarization" / "segmentation" / "pytorch_model.bin")
    theirs = weights(Path(whisperx.__file__).parent / "assets" / "pytorch_model.bin")
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
