"""Transcribe a recording: decode → transcribe → align.

On request, with separate before and diarize after.
"""

from __future__ import annotations

from app.core.catalog.catalog import ALIGN, DIARIZE, SEPARATE, WHISPER
from app.core.errors import SpeechError
from app.core.params import TranscriptionParams
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages import align, diarize, separate, transcribe
from workers.stages.segments import sort_and_clamp, to_json

MODEL_KINDS: tuple[str, ...] = (WHISPER, ALIGN, SEPARATE, DIARIZE)
# the progress of the task at the end of each stage
DECODED = 0.05
SEPARATED = 0.5
TRANSCRIBED = 0.8
UNDIARIZED = 0.6  # if diarization follows, the stages before it share this much


def run(run: Run[TranscriptionParams]) -> tuple[str, str]:
    """Return "json" and the segments as JSON.

    Raises SpeechError.
    """
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
            run.warn(f"No word timestamps: {error.message}")
    elif segments and params.word_timestamps:
        run.warn("No word timestamps: a translation cannot be aligned with the audio.")

    if params.is_diarize:
        run.enter("diarize", until=1.0)
        # on the original audio, even if the words come from separated vocals
        segments = diarize.diarize(segments, samples, model.hf_tokenizer.decode, run)
    return "json", to_json(sort_and_clamp(segments, seconds))
