"""A recording to a timed transcript: decode → transcribe → align; separated before and diarized after, where asked for."""

from __future__ import annotations

from app.core.errors import SpeechError
from workers.audio.decode import SAMPLE_RATE, decode
from workers.device.run import Run
from workers.stages import align, diarize, separate, transcribe
from workers.stages.segments import in_order, to_json

MODELS = ()  # with enable_offload, all that there are
DECODED = 0.05
SEPARATED = 0.5
TRANSCRIBED = 0.8
UNDIARIZED = 0.6  # of the work, where speakers are to be named


def run(work: Run) -> tuple[str, str]:
    """The result type and the segments as JSON text. Raises SpeechError."""
    work.enter("decode", until=DECODED)
    samples = decode(work)
    seconds = len(samples) / SAMPLE_RATE
    work.learn(audio_duration=round(seconds, 3))

    before_speakers = UNDIARIZED if work.params["is_diarize"] else 1.0
    speech = samples
    if work.params["is_separate_bgm"]:
        work.enter("separate", until=SEPARATED * before_speakers)
        speech = separate.vocals(work, keep=work.params["save_file"])

    work.enter("transcribe", until=TRANSCRIBED * before_speakers)
    model = transcribe.load(work)
    segments, language = transcribe.transcribe(speech, model, work)

    if segments and transcribe.alignable(language, work.params):
        work.enter("align", until=before_speakers)
        try:
            aligner = work.models.aligner(str(language))
            segments = align.align(segments, speech, aligner, model.hf_tokenizer.decode, work)
        except SpeechError as error:  # word times are worth less than the transcript
            work.warn(f"The words have no times: {error.message}")
    elif segments and work.params["word_timestamps"]:
        work.warn("The words have no times: those of a translation cannot be found in the sound.")

    if work.params["is_diarize"]:
        work.enter("diarize", until=1.0)
        segments = diarize.diarize(segments, samples, model.hf_tokenizer.decode, work)
    return "json", to_json(in_order(segments, seconds))
