"""The parameters of POST /transcription."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from app.core.params import TranscriptionParams
from app.core.settings import Settings
from app.schemas.bgm_separation import SeparationParameters
from app.schemas.detect_language import DetectionParameters, ModelParameters, configured_model
from app.schemas.fields import MOST_TOKENS, Number, Text, TokenList, WholeNumber
from app.schemas.languages import LANGUAGES, Language
from app.schemas.vad import MOST, VadParameters

PREPEND_PUNCTUATIONS = "\"'“¿([{-"
APPEND_PUNCTUATIONS = "\"'.。,，!！?？:：”)]}、"
FALLBACK = "Must be one number, the first temperature: decoding falls back to higher ones by itself."
IGNORED = "Accepted for clients of Whisper-WebUI; no effect."


def _describe(text: str, **more: Any) -> dict[str, Any]:
    return {"description": text, **more}


def _build_count(text: str) -> WholeNumber:
    say = "Must be greater than or equal to {min} and less than or equal to {max}; leave it out if you do not know it."
    return WholeNumber(
        load_default=None, allow_none=True, validate=validate.Range(1, MOST, error=say), metadata=_describe(text)
    )


class WhisperParameters(DetectionParameters, ModelParameters):
    """How the speech is decoded."""

    lang = Language(
        load_default=None,
        allow_none=True,
        metadata=_describe(
            "Language: a code such as `de`, `deu` or `de-AT`, in any case, or an English name. Left out, or `auto`, the "
            "language is detected.",
            enum=("auto", *LANGUAGES, None),
        ),
    )
    is_translate = fields.Boolean(load_default=False, metadata=_describe("Translate to English."))
    beam_size = WholeNumber(load_default=5, validate=validate.Range(1, 100), metadata=_describe("Beams in the search."))
    best_of = WholeNumber(
        load_default=5, validate=validate.Range(1, 100), metadata=_describe("Candidates when temperature is above 0.")
    )
    patience = Number(
        load_default=1.0,
        validate=validate.Range(0, 100, min_inclusive=False),
        metadata=_describe("Beam search patience."),
    )
    length_penalty = Number(
        load_default=1.0,
        validate=validate.Range(0, 100, min_inclusive=False),
        metadata=_describe("Exponential penalty on length."),
    )
    repetition_penalty = Number(
        load_default=1.0,
        validate=validate.Range(0, 100, min_inclusive=False),
        metadata=_describe("Above 1, repeated tokens become less likely."),
    )
    no_repeat_ngram_size = WholeNumber(
        load_default=0,
        validate=validate.Range(0, 448),
        metadata=_describe("Never repeat n-grams of this size; 0 is off."),
    )
    temperature = Number(
        load_default=0.0,
        validate=validate.Range(0, 10),
        error_messages={"list": FALLBACK},
        metadata=_describe("First sampling temperature; failed windows are decoded again, in steps of 0.2 up to 1.0."),
    )
    compression_ratio_threshold = Number(
        load_default=2.4,
        validate=validate.Range(0, 1000, min_inclusive=False),
        metadata=_describe("Above this gzip compression ratio, a window counts as failed."),
    )
    log_prob_threshold = Number(
        load_default=-1.0,
        validate=validate.Range(-1000, 1000),
        metadata=_describe("Below this average log probability, a window counts as failed."),
    )
    no_speech_threshold = Number(
        load_default=0.6,
        validate=validate.Range(0, 1),
        metadata=_describe("Above this probability, and below log_prob_threshold, a segment counts as silence."),
    )
    condition_on_previous_text = fields.Boolean(
        load_default=True, metadata=_describe("Prompt each window with the text before it (batch_size 1).")
    )
    prompt_reset_on_temperature = Number(
        load_default=0.5,
        validate=validate.Range(0, 1),
        metadata=_describe("Forget the previous text above this temperature (batch_size 1)."),
    )
    initial_prompt = Text(load_default=None, allow_none=True, metadata=_describe("Prompt for the decoder."))
    prefix = Text(
        load_default=None,
        allow_none=True,
        metadata=_describe("Text with which the first window begins (batch_size 1)."),
    )
    hotwords = Text(load_default=None, allow_none=True, metadata=_describe("Words to expect; no effect with prefix."))
    suppress_blank = fields.Boolean(load_default=True, metadata=_describe("No blank at the beginning of a window."))
    suppress_tokens = TokenList(
        load_default=lambda: (-1,),
        metadata=_describe(
            "Token ids to suppress; -1 stands for Whisper's set of non-speech symbols.",
            type="array",
            items={"type": "integer", "minimum": -1, "maximum": 2**31 - 1},
            maxItems=MOST_TOKENS,
            default=[-1],
        ),
    )
    max_initial_timestamp = Number(
        load_default=1.0,
        validate=validate.Range(0, 30),
        metadata=_describe("Latest first timestamp of a window, in seconds (batch_size 1)."),
    )
    max_new_tokens = WholeNumber(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 440),
        metadata=_describe("Maximum number of tokens per window."),
    )
    chunk_length = WholeNumber(
        load_default=30, validate=validate.Range(1, 30), metadata=_describe("Longest window, in seconds.")
    )
    hallucination_silence_threshold = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0, 3600),
        metadata=_describe(
            "Skip silence longer than this many seconds around suspected hallucinations (batch_size 1)."
        ),
    )
    batch_size = WholeNumber(
        validate=validate.Range(1, 256),
        metadata=_describe("Number of windows to decode at once; 1 decodes sequentially. Default: config.yaml."),
    )
    word_timestamps = fields.Boolean(load_default=True, metadata=_describe("Give every word its times."))
    prepend_punctuations = Text(
        load_default=PREPEND_PUNCTUATIONS, most=200, metadata=_describe("Punctuation that belongs to the next word.")
    )
    append_punctuations = Text(
        load_default=APPEND_PUNCTUATIONS, most=200, metadata=_describe("Punctuation that belongs to the previous word.")
    )


class VadFilterParameters(VadParameters):
    """Whether only speech is decoded."""

    vad_filter = fields.Boolean(load_default=False, metadata=_describe("Decode only where there is speech."))


class VocalsParameters(SeparationParameters):
    """Whether only vocals are decoded, and the stems kept."""

    is_separate_bgm = fields.Boolean(load_default=False, metadata=_describe("Transcribe the vocals only."))
    save_file = fields.Boolean(load_default=False, metadata=_describe("Keep the separated stems for download."))


class DiarizationParameters(Schema):
    """Who spoke when."""

    is_diarize = fields.Boolean(load_default=False, metadata=_describe("Name the speaker of every segment and word."))
    num_speakers = _build_count("Number of speakers, when known.")
    min_speakers = _build_count("At least this many speakers.")
    max_speakers = _build_count("At most this many speakers.")
    speaker_embeddings = fields.Boolean(
        load_default=False, metadata=_describe("Return one vector per speaker in `speaker_embeddings`.")
    )

    @validates_schema
    def check_speaker_bounds(self, data: dict[str, Any], **kwargs: Any) -> None:
        least, most = data.get("min_speakers"), data.get("max_speakers")
        if data.get("num_speakers") is not None:  # then the bounds have no effect, and a warning says so
            return
        if least is not None and most is not None and least > most:
            raise ValidationError("Must not be above max_speakers.", "min_speakers")


class ClientParameters(Schema):
    """Accepted from clients of Whisper-WebUI, without effect."""

    uvr_device = Text(load_default=None, allow_none=True, most=200, keeps_space=False, metadata=_describe(IGNORED))
    diarization_device = Text(
        load_default=None, allow_none=True, most=200, keeps_space=False, metadata=_describe(IGNORED)
    )
    hf_token = Text(
        load_default=None, allow_none=True, most=1000, keeps_space=False, metadata=_describe(f"{IGNORED} Never stored.")
    )


def server_defaults(settings: Settings) -> dict[str, Any]:
    """Return config.yaml's values for missing parameters."""
    return {
        **configured_model(settings),
        "batch_size": settings.whisper.batch_size,
        "uvr_model_size": settings.bgm_separation.model_size,
        **settings.transcription,
    }


# marshmallow lists the fields of the last base first
class TranscriptionParameters(
    ClientParameters, DiarizationParameters, VocalsParameters, VadFilterParameters, WhisperParameters
):
    """All parameters of POST /transcription.

    Clients send them in the query or as form fields.
    """

    params_class = TranscriptionParams

    configured = staticmethod(server_defaults)
