"""Whisper's decoder for one task: the model, its tokenizer, and the options that the client chose."""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np
from faster_whisper.audio import pad_or_trim
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import TranscriptionOptions, get_suppressed_tokens
from numpy.typing import NDArray

from app.core.params import WhisperOptions
from workers.audio.decode import Samples
from workers.audio.windows import Window

Features = NDArray[np.float32]

FRAMES_PER_SECOND = 100
TEMPERATURE_STEP = 0.2


class Decoder(NamedTuple):
    """A faster_whisper.WhisperModel, and how to use it in this task."""

    model: Any
    tokenizer: Tokenizer
    options: TranscriptionOptions

    def decode_text(self, tokens: list[int]) -> str:
        """Return the text of ``tokens``, without timestamps."""
        text: str = self.tokenizer.decode(tokens)
        return text

    def extract_features(self, window: Window, samples: Samples) -> Features:
        """Return the mel spectrogram of a window, padded to the model's 30 s: shape (mels, frames)."""
        features: Features = pad_or_trim(self.model.feature_extractor(window.cut(samples))[..., :-1])
        return features


def copy_model(model: Any) -> Any:
    """Return a WhisperModel for one task, with the weights of ``model``.

    faster-whisper changes its feature extractor when it decodes sequentially; CTranslate2's model may serve many threads.
    """
    copied = copy.copy(model)
    copied.feature_extractor = copy.copy(model.feature_extractor)
    return copied


def make_decoder(model: Any, language: str, params: WhisperOptions) -> Decoder:
    """Make the decoder of a task.

    The prompts of ``params`` fit the model. Raises ValueError for tokens that it does not have.
    """
    beyond = [token for token in params.suppress_tokens if token >= model.hf_tokenizer.get_vocab_size()]
    if beyond:
        raise ValueError(f"suppress_tokens contains {beyond[0]}, which is not in the vocabulary")
    task = "translate" if params.is_translate else "transcribe"
    tokenizer = Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task=task, language=language)
    options = TranscriptionOptions(
        beam_size=params.beam_size,
        best_of=params.best_of,
        patience=params.patience,
        length_penalty=params.length_penalty,
        repetition_penalty=params.repetition_penalty,
        no_repeat_ngram_size=params.no_repeat_ngram_size,
        log_prob_threshold=params.log_prob_threshold,
        no_speech_threshold=params.no_speech_threshold,
        compression_ratio_threshold=params.compression_ratio_threshold,
        condition_on_previous_text=params.condition_on_previous_text,
        prompt_reset_on_temperature=params.prompt_reset_on_temperature,
        temperatures=list_temperatures(params.temperature),
        initial_prompt=params.initial_prompt,
        prefix=params.prefix,
        suppress_blank=params.suppress_blank,
        suppress_tokens=get_suppressed_tokens(tokenizer, list(params.suppress_tokens)),
        without_timestamps=True,
        max_initial_timestamp=params.max_initial_timestamp,
        word_timestamps=False,
        prepend_punctuations=params.prepend_punctuations,
        append_punctuations=params.append_punctuations,
        multilingual=False,
        max_new_tokens=params.max_new_tokens,
        clip_timestamps=[],
        hallucination_silence_threshold=params.hallucination_silence_threshold,
        hotwords=params.hotwords,
    )
    return Decoder(model, tokenizer, options)


def list_temperatures(first: float) -> list[float]:
    """List ``first`` and its fallbacks.

    Those follow in steps of 0.2 up to 1.0.
    """
    steps = int(round((1.0 - first) / TEMPERATURE_STEP, 6))
    return [first, *(round(first + TEMPERATURE_STEP * step, 6) for step in range(1, steps + 1))]


def describe_failed(times: list[tuple[float, float]]) -> str:
    """Make the warning for text that was left out, which had these times in seconds."""
    stretches = ", ".join(f"{start:.1f}–{end:.1f} s" for start, end in times)
    return f"No text for {stretches}: it failed compression_ratio_threshold or log_prob_threshold at every temperature."
