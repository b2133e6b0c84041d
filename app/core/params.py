"""The parameters of each kind of task, as dataclasses.

They are made from the request, stored in the task's row and read by the stages. Each kind has one frozen dataclass.
Its fields come from groups, so that a stage can ask for the group it reads. The fields and defaults are those of the
schema in ``app/schemas``, which describes and validates them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from app.core.db.states import ALIGNMENT, BGM_SEPARATION, DETECT_LANGUAGE, TRANSCRIPTION, VAD

FILE_URL = "file_url"  # stored beside the parameters: the recording's URL without its query string
NEVER_STORED = ("hf_token",)  # a secret, which GET /task would show
LISTENING_COPY = OFF, AUTO = ("off", "auto")
_UNLIMITED = {"null": math.inf}  # JSON has no infinity

P = TypeVar("P", bound="Params")
P_co = TypeVar("P_co", bound="Params", covariant=True)


@dataclass(frozen=True, kw_only=True)
class Params:
    """The base class of all task parameters."""

    def to_json(self) -> dict[str, Any]:
        """Return the values to store, as JSON types."""
        return {f.name: _to_json(getattr(self, f.name)) for f in fields(self) if f.name not in NEVER_STORED}

    @classmethod
    def from_json(cls: type[P], stored: Mapping[str, Any]) -> P:
        """Read the values that ``to_json`` returned.

        A missing value gets its default. Raises ValueError when a name is unknown, or a value without a default is
        missing.
        """
        # JSON knows neither infinity nor tuples: undo what ``_to_json`` made of them.
        nulls = {f.name: f.metadata.get("null") for f in fields(cls)}
        values = {name: nulls.get(name) if value is None else value for name, value in stored.items()}
        try:
            return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in values.items()})
        except TypeError as error:
            raise ValueError(f"Invalid task parameters: {error}") from error


@dataclass(frozen=True, kw_only=True)
class RecordingOptions(Params):
    """What is decoded of the recording.

    ``audio_track`` counts from 0; None takes the track that players take. ``raw_pcm``: the recording may be samples
    without a header, 16 bit little endian, 16 kHz, mono.
    """

    audio_track: int | None = None
    raw_pcm: bool = False


@dataclass(frozen=True, kw_only=True)
class ListeningOptions(RecordingOptions):
    """What is stored for players.

    ``listening_copy``: ``auto`` makes an MP3 of a recording that browsers do not play, ``off`` none.
    """

    listening_copy: str = OFF


@dataclass(frozen=True, kw_only=True)
class VadOptions(Params):
    """What counts as speech.

    Durations are in ms or s, as their names say.
    """

    threshold: float = 0.5
    min_speech_duration_ms: int = 250
    max_speech_duration_s: float = field(default=math.inf, metadata=_UNLIMITED)
    min_silence_duration_ms: int = 2000
    speech_pad_ms: int = 400


@dataclass(frozen=True, kw_only=True)
class SeparationOptions(ListeningOptions):
    """Which model separates, and how stems are stored.

    ``segment_size`` counts frames of 1024 samples at 44.1 kHz; None leaves it to the model.
    """

    uvr_model_size: str
    segment_size: int | None = None
    stem_format: str = "wav"


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Params):
    """Which Whisper model runs, and how."""

    model_size: str
    compute_type: str
    enable_offload: bool


@dataclass(frozen=True, kw_only=True)
class DetectionOptions(Params):
    """How much speech decides the language.

    ``language_detection_segments`` counts windows of 30 s.
    """

    language_detection_threshold: float = 0.5
    language_detection_segments: int = 1


@dataclass(frozen=True, kw_only=True)
class WhisperOptions(DetectionOptions, ModelOptions):
    """How speech is decoded.

    ``chunk_length``, ``max_initial_timestamp`` and ``hallucination_silence_threshold`` are seconds. Thresholds and
    penalties are Whisper's own. ``lang`` is a language code, None to detect it.
    """

    lang: str | None = None
    is_translate: bool = False
    beam_size: int = 5
    best_of: int = 5
    patience: float = 1.0
    length_penalty: float = 1.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    temperature: float = 0.0
    compression_ratio_threshold: float = 2.4
    log_prob_threshold: float = -1.0
    no_speech_threshold: float = 0.6
    condition_on_previous_text: bool = True
    prompt_reset_on_temperature: float = 0.5
    initial_prompt: str | None = None
    prefix: str | None = None
    hotwords: str | None = None
    suppress_blank: bool = True
    suppress_tokens: tuple[int, ...] = (-1,)  # -1: Whisper's set of non-speech symbols
    max_initial_timestamp: float = 1.0
    max_new_tokens: int | None = None
    chunk_length: int = 30
    hallucination_silence_threshold: float | None = None
    batch_size: int
    word_timestamps: bool = True
    prepend_punctuations: str = "\"'“¿([{-"
    append_punctuations: str = "\"'.。,，!！?？:：”)]}、"


@dataclass(frozen=True, kw_only=True)
class VadFilterOptions(VadOptions):
    """Whether only speech is decoded."""

    vad_filter: bool = False


@dataclass(frozen=True, kw_only=True)
class VocalsOptions(SeparationOptions):
    """Whether only vocals are decoded, and the stems kept."""

    is_separate_bgm: bool = False
    save_file: bool = False


@dataclass(frozen=True, kw_only=True)
class DiarizationOptions(Params):
    """Who spoke when.

    ``None`` leaves the number of speakers open.
    """

    is_diarize: bool = False
    num_speakers: int | None = None
    min_speakers: int | None = None
    max_speakers: int | None = None
    speaker_embeddings: bool = False


@dataclass(frozen=True, kw_only=True)
class ClientOptions(Params):
    """Accepted from clients of Whisper-WebUI, without effect."""

    uvr_device: str | None = None
    diarization_device: str | None = None
    hf_token: str | None = field(default=None, repr=False)


# Like marshmallow, dataclasses list the fields of the last base first.
@dataclass(frozen=True, kw_only=True)
class TranscriptionParams(ClientOptions, DiarizationOptions, VocalsOptions, VadFilterOptions, WhisperOptions):
    """The parameters of a transcription."""


@dataclass(frozen=True, kw_only=True)
class VadParams(VadOptions, ListeningOptions):
    """The parameters of a voice activity detection."""

    vad_filter: bool = True  # without effect


@dataclass(frozen=True, kw_only=True)
class BgmSeparationParams(SeparationOptions):
    """The parameters of a separation.

    Of the fields declared here, only ``enable_offload`` has an effect.
    """

    is_separate_bgm: bool = True
    save_file: bool = True
    enable_offload: bool
    uvr_device: str | None = None


@dataclass(frozen=True, kw_only=True)
class DetectLanguageParams(DetectionOptions, ModelOptions, RecordingOptions):
    """The parameters of a language detection."""


@dataclass(frozen=True, kw_only=True)
class AlignmentParams(ListeningOptions):
    """The parameters of an alignment.

    ``transcript`` is its SHA-256 in a stored task; the text is in a table of its own (db/transcripts.py).
    """

    transcript: str
    lang: str


PARAMS: dict[str, type[Params]] = {
    TRANSCRIPTION: TranscriptionParams,
    VAD: VadParams,
    BGM_SEPARATION: BgmSeparationParams,
    DETECT_LANGUAGE: DetectLanguageParams,
    ALIGNMENT: AlignmentParams,
}


def parse_params(task_type: str, text: str) -> Params:
    """Read the ``params`` column of a row.

    Raises ValueError when it does not hold parameters of ``task_type``.
    """
    stored = json.loads(text)
    if task_type not in PARAMS or not isinstance(stored, dict):
        raise ValueError(f"Invalid parameters for a task of type {task_type!r}.")
    return PARAMS[task_type].from_json({name: value for name, value in stored.items() if name != FILE_URL})


def _to_json(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return None if value == math.inf else value
