"""Make a timed transcript: decode → transcribe → align, on request with separate before and diarize after."""

from __future__ import annotations

from app.core.catalog.catalog import ALIGN, DIARIZE, SEPARATE, WHISPER
from app.core.errors import SpeechError
from app.core.params import TranscriptionParams
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages import align, diarize, separate, transcribe
from workers.stages.segments import sort_and_clamp, to_json

MODEL_KINDS: tuple[str, ...] = (WHISPER, ALIGN, SEPARATE, DIARIZE)
DECODED = 0.05
SEPARATED = 0.5
TRANSCRIBED = 0.8
UNDIARIZED = 0.6  # of the whole, with diarization to follow


def run(run: Run[TranscriptionParams]) -> tuple[str, str]:
    """Return "json" and the segments. Raises SpeechError."""
    params = run.params
    run.enter("decode", until=DECODED)
    samples = decode(run)
    seconds = len(samples) / SAMPLE_RATE
    run.add_facts(audio_duration=round(seconds, 3))

    before_speakers = UNDIARIZED if params.is_diarize else 1.0
    speech = samples
    if params.is_separate_bgm:
        run.enter("separate", until=SEPARATED * before_speakers)
        speech = separate.separate_vocals(run, keep=params.save_file)

    run.enter("transcribe", until=TRANSCRIBED * before_speakers)
    model = transcribe.load_model(run)
    segments, language = transcribe.transcribe(speech, model, run)

    if segments and transcribe.is_alignable(language, params):
        run.enter("align", until=before_speakers)
        try:
            aligner = run.models.aligner(str(language))
            segments = align.align(segments, speech, aligner, model.hf_tokenizer.decode, run)
        except SpeechError as error:  # the transcript is useful without word times
            run.warn(f"The words have no times: {error.message}")
    elif segments and params.word_timestamps:
        run.warn("The words have no times: a translation cannot be aligned with the recording.")

    if params.is_diarize:
        run.enter("diarize", until=1.0)
        segments = diarize.diarize(segments, samples, model.hf_tokenizer.decode, run)
    return "json", to_json(sort_and_clamp(segments, seconds))
