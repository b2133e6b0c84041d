"""Each parameter of /transcription changes the result, or a warning says why not."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ctranslate2
import numpy as np
import pytest
from faster_whisper import WhisperModel

from app.core import settings
from app.core.db import connection
from app.core.errors import SpeechError
from app.core.params import TranscriptionParams
from app.core.storage.paths import copy_path, stems_folder, task_folder
from app.factory import create_app
from app.schemas.effects import describe_ignored
from app.schemas.transcription import TranscriptionParameters
from tests import recordings
from tests.containers import Track, write
from tests.service import MINI, SAMPLES
from tests.workers.conftest import SLOT
from tests.workers.separators import saved
from workers.device.execution import execute
from workers.device.protocol import Job, Outcome
from workers.device.run import Run
from workers.models.cache import WarmModels
from workers.pipelines import transcription

Segments = list[dict[str, Any]]
Test = Callable[..., None]

SOURCES = ["vocals", "other"]
WARNED = ("prepend_punctuations", "append_punctuations", "uvr_device", "diarization_device", "hf_token")
PLAIN = {
    "word_timestamps": False,  # without alignment, which takes most of the time
    # no fallback to higher temperatures: these sample, so that every run differs
    "compression_ratio_threshold": 1000.0,
    "log_prob_threshold": -1000.0,
}
SEQUENTIAL = {**PLAIN, "batch_size": 1, "max_new_tokens": 12}
VOICE_ACTIVITY = {**PLAIN, "vad_filter": True}
STRETCHES = {**VOICE_ACTIVITY, "min_silence_duration_ms": 100, "speech_pad_ms": 50, "chunk_length": 3}
# name, a value other than the default, the parameters with which it has an effect
CASES: list[tuple[str, Any, dict[str, Any]]] = [
    ("lang", "de", PLAIN),
    ("is_translate", True, {**PLAIN, "lang": "de"}),
    ("beam_size", 1, PLAIN),
    ("patience", 0.2, PLAIN),
    ("length_penalty", 0.05, PLAIN),
    ("repetition_penalty", 8.0, PLAIN),
    ("no_repeat_ngram_size", 1, PLAIN),
    ("temperature", 0.9, PLAIN),
    ("log_prob_threshold", 100.0, {**PLAIN, "no_speech_threshold": 0.0}),
    ("initial_prompt", "red green blue", PLAIN),
    ("hotwords", "tomorrow tomorrow tomorrow", PLAIN),
    ("prefix", "tomorrow", SEQUENTIAL),
    ("suppress_tokens", "Ġhello", PLAIN),
    ("max_new_tokens", 1, PLAIN),
    ("chunk_length", 2, PLAIN),
    ("hallucination_silence_threshold", 0.1, SEQUENTIAL),
    ("batch_size", 1, PLAIN),
    ("compute_type", "float32", PLAIN),
    ("word_timestamps", True, PLAIN),
    ("vad_filter", True, PLAIN),
    ("threshold", 0.95, VOICE_ACTIVITY),
    ("min_speech_duration_ms", 1500, STRETCHES),
    ("max_speech_duration_s", 1.0, VOICE_ACTIVITY),
    ("min_silence_duration_ms", 100, VOICE_ACTIVITY),
    ("speech_pad_ms", 0, VOICE_ACTIVITY),
    ("is_separate_bgm", True, PLAIN),
    ("uvr_model_size", "untrained", {**PLAIN, "is_separate_bgm": True}),
]
shown = {name for name, *_ in CASES}


def shows(*names: str) -> Callable[[Test], Test]:
    """Mark a test that shows the effect of these parameters."""
    shown.update(names)
    return lambda test: test


class Lab:
    """The real pipeline, with several models to choose from."""

    def __init__(self, mini: settings.Settings, folder: Path) -> None:
        whisper = {**mini.whisper.models, "strict": str(strict(folder / "strict")), "empty": str(folder)}
        separators = {**mini.bgm_separation.models, "untrained": str(saved(folder / "untrained", "abc", SOURCES))}
        self.settings = dataclasses.replace(
            mini,
            cache=dataclasses.replace(mini.cache, path=folder / "cache"),
            whisper=dataclasses.replace(mini.whisper, models=whisper),
            bgm_separation=dataclasses.replace(mini.bgm_separation, models=separators),
        )
        self.models = WarmModels(SLOT, self.settings)
        self.usual: dict[str, Segments] = {}
        self._app = create_app(self.settings)
        connection.database.close()

    def job(self, recording: Path, **asked: Any) -> Job[TranscriptionParams]:
        """The job of a request with these parameters."""
        with self._app.app_context():
            params: TranscriptionParams = TranscriptionParameters().load({"lang": "en", **asked})
        identifier = str(uuid.uuid4())
        task_folder(self.settings.cache.path, identifier).mkdir(parents=True)
        return Job(identifier, 1, "transcription", params, [], str(recording))

    def run(self, recording: Path, **asked: Any) -> tuple[Segments, Run]:
        run = Run(self.job(recording, **asked), SLOT, self.settings, self.models, lambda report: None)
        ctranslate2.set_random_seed(1)
        try:
            return json.loads(transcription.run(run)[1]), run
        finally:
            run.models.give_back()

    def segments(self, recording: Path, **asked: Any) -> Segments:
        return self.run(recording, **asked)[0]

    def stems(self, recording: Path, **asked: Any) -> dict[str, bytes]:
        """The stem files that a separating run leaves: name to content."""
        _, run = self.run(recording, **PLAIN, is_separate_bgm=True, **asked)
        folder = stems_folder(self.settings.cache.path, run.job.uuid, run.job.claim_no)
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    @property
    def whisper(self) -> Any:
        return self.models.whisper("mini", "int8")


def strict(folder: Path) -> Path:
    """The mini model configured like the real ones: a window may not begin with the end token."""
    shutil.copytree(MINI / "whisper", folder)
    about = json.loads((folder / "config.json").read_text())
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["added_tokens"]
    about["suppress_ids_begin"] = [token["id"] for token in vocabulary if token["content"] == "<|endoftext|>"]
    assert len(about["suppress_ids_begin"]) == 1
    (folder / "config.json").write_text(json.dumps(about))
    return folder


@pytest.fixture(scope="module")
def lab(mini: settings.Settings, tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab(mini, tmp_path_factory.mktemp("lab"))


@pytest.fixture(scope="module")
def noisy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Speech 2 dB above noise: the decoder is unsure, so that any change of the search has an effect."""
    sound = recordings.speech(SAMPLES / "short.flac")[: 12 * recordings.RATE].astype(np.float64)
    noise = np.random.default_rng(0).standard_normal(len(sound)) * np.sqrt(np.mean(sound**2)) * 10 ** (-2 / 20)
    cut = (0.4 * (sound + noise))[: 8 * recordings.RATE]
    return recordings.wav(tmp_path_factory.mktemp("noisy") / "a.wav", np.clip(cut, -32767, 32767).astype(np.int16))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few seconds of speech over music."""
    sound = recordings.speech(SAMPLES / "conversation-over-music.ogg")[: 6 * recordings.RATE]
    return recordings.wav(tmp_path_factory.mktemp("clip") / "a.wav", sound)


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The beginning of a conversation of two speakers."""
    sound = recordings.speech(SAMPLES / "voices2.ogg")[: 16 * recordings.RATE]
    return recordings.wav(tmp_path_factory.mktemp("voices") / "a.wav", sound)


@pytest.mark.parametrize(("name", "value", "around"), CASES, ids=[name for name, *_ in CASES])
def test_parameter_changes_the_result(lab: Lab, noisy: Path, name: str, value: Any, around: dict[str, Any]) -> None:
    if name == "suppress_tokens":
        value = str(lab.whisper.hf_tokenizer.token_to_id(value))
    key = repr(sorted(around.items()))
    if key not in lab.usual:
        lab.usual[key] = lab.segments(noisy, **around)
        assert lab.usual[key] == lab.segments(noisy, **around), "the recording decodes differently every time"
    assert lab.segments(noisy, **{**around, name: value}) != lab.usual[key]


@shows("model_size")
def test_requested_model_is_used(lab: Lab, noisy: Path) -> None:
    with pytest.raises(SpeechError, match=r"Whisper model 'empty' in .* is broken"):
        lab.run(noisy, model_size="empty")


@shows("suppress_blank")
def test_suppress_blank_prevents_an_empty_window(lab: Lab, tmp_path: Path) -> None:
    hum = 300 * np.sin(2 * np.pi * 50 * np.arange(4 * recordings.RATE) / recordings.RATE)
    path = recordings.wav(tmp_path / "hum.wav", hum.astype(np.int16))
    vocabulary = lab.whisper.hf_tokenizer
    first_special = vocabulary.token_to_id("<|endoftext|>")
    unheard = [token for token in range(first_special) if token != vocabulary.token_to_id("Ġfriday")]
    asked = {
        **PLAIN,
        "model_size": "strict",
        "no_speech_threshold": 1.0,
        "suppress_tokens": ",".join(map(str, unheard)),
    }
    assert lab.segments(path, suppress_blank=False, **asked) == []
    assert "friday" in lab.segments(path, suppress_blank=True, **asked)[0]["text"]


@shows("no_speech_threshold")
def test_silence_is_left_out_without_further_tries(lab: Lab, noisy: Path) -> None:
    unlikely = {**PLAIN, "log_prob_threshold": 100.0, "max_new_tokens": 4}
    for threshold, warned in ((1.0, True), (0.0, False)):
        segments, run = lab.run(noisy, **unlikely, no_speech_threshold=threshold)
        assert segments == [] and any("No text for" in warning for warning in run.warnings) == warned


@pytest.mark.parametrize("batch_size", [1, 8])
def test_text_that_repeats_itself_is_left_out_with_a_warning(lab: Lab, noisy: Path, batch_size: int) -> None:
    asked = {**PLAIN, "compression_ratio_threshold": 0.05, "max_new_tokens": 4, "no_speech_threshold": 1.0}
    segments, run = lab.run(noisy, batch_size=batch_size, **asked)
    assert segments == [] and any("No text for" in warning for warning in run.warnings)


@shows("best_of")
def test_best_of_many_samples_is_likelier_than_one(lab: Lab, noisy: Path) -> None:
    one, many = (lab.segments(noisy, best_of=count, **{**SEQUENTIAL, "temperature": 1.0}) for count in (1, 20))
    likely = [np.mean([segment["avg_logprob"] for segment in segments]) for segments in (one, many)]
    assert likely[1] > likely[0]


@contextlib.contextmanager
def prompts(patch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The number of earlier tokens in the prompt of each window after the first."""
    taken: list[int] = []
    make = WhisperModel.get_prompt

    def noted(self: Any, tokenizer: Any, previous_tokens: list[int], *rest: Any, **named: Any) -> list[int]:
        taken.append(len(previous_tokens))
        made: list[int] = make(self, tokenizer, previous_tokens, *rest, **named)
        return made

    with patch.context() as patched:
        patched.setattr(WhisperModel, "get_prompt", noted)
        yield taken
    del taken[0]


@shows("condition_on_previous_text")
def test_earlier_text_prompts_the_next_window_unless_disabled(
    lab: Lab, noisy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with prompts(monkeypatch) as usual:
        lab.run(noisy, **SEQUENTIAL)
    with prompts(monkeypatch) as without:
        lab.run(noisy, condition_on_previous_text=False, **SEQUENTIAL)
    assert max(usual) > 0 and set(without) == {0}


@shows("prompt_reset_on_temperature")
def test_prompt_is_reset_above_the_reset_temperature(lab: Lab, noisy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with prompts(monkeypatch) as kept:
        lab.run(noisy, temperature=1.0, prompt_reset_on_temperature=1.0, **SEQUENTIAL)
    with prompts(monkeypatch) as forgotten:
        lab.run(noisy, temperature=1.0, prompt_reset_on_temperature=0.5, **SEQUENTIAL)
    assert max(kept) > 0 and set(forgotten) == {0}


@shows("compression_ratio_threshold", "log_prob_threshold")
@pytest.mark.parametrize("failed", [{"compression_ratio_threshold": 0.05}, {"log_prob_threshold": 0.5}], ids=str)
def test_a_failed_decoding_is_tried_again_at_higher_temperatures(
    lab: Lab, noisy: Path, monkeypatch: pytest.MonkeyPatch, failed: dict[str, float]
) -> None:
    engine = lab.whisper.model
    temperatures: list[float] = []

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def generate(self, *given: Any, **options: Any) -> Any:
            temperatures.append(options.get("sampling_temperature", 0.0))
            return engine.generate(*given, **options)

    monkeypatch.setattr(lab.whisper, "model", Noting())
    lab.run(noisy, **SEQUENTIAL)
    assert set(temperatures) == {0.0}
    lab.run(noisy, **{**SEQUENTIAL, **failed})
    assert max(temperatures) == 1.0


def test_prefix_begins_the_first_window_after_a_silence(lab: Lab, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLES / "short.flac")[: 6 * recordings.RATE]
    path = recordings.wav(tmp_path / "late.wav", np.concatenate([recordings.silence(2), sound]))
    plain, begun = (lab.segments(path, prefix=prefix, **SEQUENTIAL) for prefix in (None, "tomorrow"))
    assert plain != begun
    assert min(segment["start"] for segment in plain) >= 1.5


@shows("max_initial_timestamp")
@pytest.mark.parametrize(("most", "steps"), [(0.0, 0), (1.0, 50)])
def test_first_timestamp_is_bounded(
    lab: Lab, noisy: Path, monkeypatch: pytest.MonkeyPatch, most: float, steps: int
) -> None:
    engine = lab.whisper.model
    bounds: set[int] = set()

    class Noting:
        def __getattr__(self, name: str) -> Any:
            return getattr(engine, name)

        def generate(self, *given: Any, **options: Any) -> Any:
            bounds.add(options["max_initial_timestamp_index"])
            return engine.generate(*given, **options)

    monkeypatch.setattr(lab.whisper, "model", Noting())
    lab.run(noisy, max_initial_timestamp=most, **SEQUENTIAL)
    assert bounds == {steps}  # of 20 ms


@shows("language_detection_segments", "language_detection_threshold")
def test_language_is_detected_in_the_requested_number_of_windows(lab: Lab, tmp_path: Path) -> None:
    english, german = (recordings.speech(SAMPLES / f"{name}.flac") for name in ("short", "german"))
    mixed = np.concatenate([np.resize(english, 30 * recordings.RATE), np.resize(german, 60 * recordings.RATE)])
    path = recordings.wav(tmp_path / "mixed.wav", mixed)

    def language(**asked: Any) -> str:
        few = {**PLAIN, "max_new_tokens": 1, "chunk_length": 30}
        heard: str = lab.run(path, lang=None, **few, **asked)[1].facts["language"]
        return heard

    lab.segments(
        path, chunk_length=5, **{**PLAIN, "batch_size": 1, "max_new_tokens": 1}
    )  # changes the window of the model's feature extractor
    assert language(language_detection_threshold=1.0, language_detection_segments=1) == "en"
    assert language(language_detection_threshold=1.0, language_detection_segments=3) == "de"
    assert language(language_detection_threshold=0.01, language_detection_segments=3) == "en"


@shows("enable_offload")
def test_models_are_freed_after_the_task_on_request(lab: Lab, noisy: Path) -> None:
    for offload in (False, True):
        job = lab.job(noisy, enable_offload=offload, **PLAIN)
        run = Run(job, SLOT, lab.settings, lab.models, lambda report: None)
        assert isinstance(execute(run, transcription), Outcome)
        assert bool(lab.models._kept["whisper"]) is not offload


@shows("audio_track")
def test_requested_track_is_decoded(lab: Lab, clip: Path, tmp_path: Path) -> None:
    tracks = [Track(recordings.silence(6)), Track(recordings.speech(clip))]
    path = write(tmp_path / "tracks.mkv", "matroska", *tracks)
    assert lab.segments(path, audio_track=0, **PLAIN) == []
    assert lab.segments(path, audio_track=1, **PLAIN) == lab.segments(path, **PLAIN) != []


@shows("raw_pcm")
def test_samples_without_a_header_are_decoded(lab: Lab, clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "clip.pcm"
    path.write_bytes(recordings.speech(clip).tobytes())
    assert lab.segments(path, raw_pcm=True, **PLAIN) == lab.segments(clip, **PLAIN) != []
    assert lab.run(clip, raw_pcm=True, **PLAIN)[1].warnings == [
        "raw_pcm has no effect: the recording has a format of its own, wav"
    ]


@shows("listening_copy")
def test_listening_copy_is_made_on_request(lab: Lab, clip: Path, tmp_path: Path) -> None:
    path = recordings.encoded(tmp_path / "a.aiff", recordings.speech(clip), "pcm_s16be", "aiff")
    for asked in ("off", "auto"):
        _, run = lab.run(path, listening_copy=asked, **PLAIN)
        assert copy_path(lab.settings.cache.path, run.job.uuid).exists() == (asked == "auto")


@shows("save_file")
def test_stems_are_kept_on_request(lab: Lab, clip: Path) -> None:
    assert lab.stems(clip) == {}
    assert set(lab.stems(clip, save_file=True)) == {"vocals.wav", "instrumental.wav"}


@shows("stem_format")
def test_stems_have_the_requested_format(lab: Lab, clip: Path) -> None:
    assert set(lab.stems(clip, save_file=True, stem_format="flac")) == {"vocals.flac", "instrumental.flac"}


@shows("segment_size")
def test_segment_size_changes_the_stems(lab: Lab, clip: Path) -> None:
    usual, small = lab.stems(clip, save_file=True), lab.stems(clip, save_file=True, segment_size=64)
    assert usual == lab.stems(clip, save_file=True)
    assert usual != small


@shows("is_diarize", "num_speakers", "min_speakers", "max_speakers", "speaker_embeddings")
def test_number_of_speakers_follows_the_parameters(lab: Lab, voices: Path) -> None:
    def speakers(**asked: Any) -> tuple[set[str | None], str | None]:
        segments, run = lab.run(voices, **PLAIN, **asked)
        return {segment["speaker"] for segment in segments}, run.speaker_embeddings

    assert speakers()[0] == {None}
    named, embeddings = speakers(is_diarize=True, speaker_embeddings=True)
    assert len(named) == 2 and named == set(json.loads(embeddings or "null"))
    only, embeddings = speakers(is_diarize=True, num_speakers=1)
    assert len(only) == 1 and embeddings is None
    assert len(speakers(is_diarize=True, max_speakers=1)[0]) == 1
    assert len(speakers(is_diarize=True, min_speakers=3)[0]) == 3


@shows(*WARNED)
@pytest.mark.parametrize("name", WARNED)
def test_parameter_without_effect_is_warned_of(lab: Lab, noisy: Path, name: str) -> None:
    usual = lab.job(noisy).params
    (warning,) = describe_ignored(lab.job(noisy, **{name: "x"}).params, usual)
    assert warning.startswith(f"{name} has no effect: ")


def test_every_parameter_is_tested_here() -> None:
    assert shown == set(TranscriptionParameters().fields)
