"""Separate vocals and background with demucs.

It uses the rate and channels of the model, and bounded memory.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
from av.audio.frame import AudioFrame
from numpy.typing import NDArray

from app.core.params import AUTO, SeparationOptions
from workers.audio import listening, media
from workers.audio.convert import LAYOUTS, Converter
from workers.audio.decode import SAMPLE_RATE, SampleBuffer, Samples
from workers.audio.overlap import join_windows, split_windows
from workers.audio.stems import StemFile, describe_stems
from workers.audio.waveform import Waveform
from workers.device.networks import take_turn
from workers.device.run import Run
from workers.device.slots import choose_separation_device
from workers.stages.stem_files import Stem, locate_stems, open_files

Sound = NDArray[np.float32]

STEMS = VOCALS, INSTRUMENTAL = ("vocals", "instrumental")
WINDOW_SECONDS, OVERLAP_SECONDS = 60.0, 2.0
SHORTEST_SECONDS = 1.0  # demucs normalizes its input, and fails on a few samples
# the longest input of one model call: the 44 s of some models take gigabytes for little gain; demucs' transformer uses 7.8 s
LONGEST_SEGMENT_SECONDS = 12.0
# the unit of segment_size, as in Whisper-WebUI: a frame of UVR's MDX models, 1024 samples at 44.1 kHz
FRAME_SECONDS = 1024 / 44_100


def separate_to_files(run: Run[SeparationOptions]) -> list[StemFile]:
    """Write both stems to files of this claim.

    They are synced to disk when this returns.
    Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long, model_not_available, insufficient_storage.
    """
    with media.open_recording(run) as recording:
        if recording.declared is not None:
            run.measure_recording(recording.declared)
        separator = run.models.separator(run.params.uvr_model_size)
        if recording.declared:  # until all of it is decoded, so that its end can be estimated
            run.add_facts(audio_duration=round(recording.declared, 3))
        waveform = Waveform(separator.samplerate)
        with open_files(run, recording, separator, STEMS) as stems:
            for piece in _separate_pieces(run, recording, separator, waveform):
                for name, stem in stems.items():
                    stem.write(piece[name])
    run.add_facts(audio_duration=round(recording.seconds, 3))
    listening.store_waveform(run, waveform)
    if run.params.listening_copy == AUTO and not recording.playback.is_played:
        with media.open_recording(run) as again:
            listening.store_copy(run, again.blocks(listening.RATE, channels=1))
    return describe_stems(locate_stems(run))


def separate_vocals(run: Run[SeparationOptions], keep: bool) -> Samples:
    """Return the vocals as 16 kHz mono.

    With ``keep``, also write both stems to files. Raises SpeechError like ``separate_to_files``.
    """
    try:
        with media.open_recording(run) as recording:
            separator = run.models.separator(run.params.uvr_model_size)
            speech = _SpeechBuffer(separator, recording.declared)
            files: AbstractContextManager[dict[str, Stem]] = contextlib.nullcontext({})
            if keep:
                files = open_files(run, recording, separator, STEMS)
            with files as stems:
                for piece in _separate_pieces(run, recording, separator):
                    speech.add(piece[VOCALS])
                    for name, stem in stems.items():
                        stem.write(piece[name])
            return speech.samples()
    finally:
        if run.settings.bgm_separation.enable_offload:  # before the next model needs the memory
            run.models.free("separate")


def _separate_pieces(
    run: Run[SeparationOptions], recording: media.Recording, shared: Any, waveform: Waveform | None = None
) -> Iterator[dict[str, Sound]]:
    """Yield both stems in pieces of shape (channels, samples). ``waveform`` becomes that of the recording."""
    separator = copy.copy(shared)  # with options of its own
    rate, overlap = separator.samplerate, int(OVERLAP_SECONDS * separator.samplerate)
    separator.update_parameter(segment=_choose_segment_seconds(run, separator.model))
    blocks = recording.blocks(rate, separator.audio_channels)
    if waveform is not None:
        blocks = waveform.follow(blocks)
    parts = (
        (_separate_window(window, separator, _Progress(run, recording, window.shape[1] / rate), run), last)
        for window, last in split_windows(blocks, int(WINDOW_SECONDS * rate), overlap)
    )
    for both in join_windows(parts, overlap):
        yield dict(zip(STEMS, both, strict=True))


class _Progress:
    """Convert demucs' progress on one window to the recording's."""

    def __init__(self, run: Run[SeparationOptions], recording: media.Recording, window_seconds: float) -> None:
        self._run = run
        self._total = recording.declared or 0.0
        self._from = recording.seconds - window_seconds
        self._seconds = window_seconds

    def __call__(self, said: dict[str, Any]) -> None:
        if self._total:
            through = said["segment_offset"] / max(1, said["audio_length"])
            window = (said["model_idx_in_bag"] + through) / said["models"]
            self._run.advance((self._from + window * self._seconds) / self._total)


def _separate_window(window: Sound, separator: Any, progress: _Progress, run: Run[SeparationOptions]) -> Sound:
    """Separate one window of shape (channels, samples), and let other tasks go first between the model's segments.

    Returns (2, channels, samples): vocals, and the sum of all other sources.
    """
    import torch  # imported here: it takes seconds, and the model has needed it anyway

    samples = window.shape[1]
    missing = max(0, int(SHORTEST_SECONDS * separator.samplerate) - samples)
    padded = torch.from_numpy(np.pad(window, ((0, 0), (0, missing))))
    with take_turn(run, choose_separation_device(run.settings.bgm_separation, run.slot)) as pass_on:
        separator.update_parameter(callback=partial(_note_segment, progress, pass_on))
        _, sources = separator.separate_tensor(padded)
    sung = sources.pop(VOCALS)
    behind = sum(sources.values(), start=torch.zeros_like(sung))
    both: Sound = torch.stack((sung, behind))[..., :samples].numpy()
    return both


def _note_segment(progress: _Progress, pass_on: Callable[[], None], said: dict[str, Any]) -> None:
    if said["state"] == "end":
        progress(said)
        pass_on()


def _choose_segment_seconds(run: Run[SeparationOptions], model: Any) -> float:
    """Choose the input length of one model call.

    It is ``segment_size``, limited by the model.
    """
    parts = list(getattr(model, "models", [model]))
    own: float = min(LONGEST_SEGMENT_SECONDS, *(float(part.segment) for part in parts))
    if run.params.segment_size is None:
        return own
    asked = run.params.segment_size * FRAME_SECONDS
    if asked > own:
        frames = int(own / FRAME_SECONDS)
        run.warn(f"segment_size: the model takes at most {own:.1f} s per call; {frames} was used instead")
    return float(min(asked, own))


class _SpeechBuffer:
    """Collect pieces of a stem as 16 kHz mono."""

    def __init__(self, separator: Any, seconds: float | None) -> None:
        self._gathered = SampleBuffer(seconds)
        self._rate = separator.samplerate
        self._layout = LAYOUTS[separator.audio_channels]
        self._converter = Converter(SAMPLE_RATE, channels=1)

    def add(self, sound: Sound) -> None:
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound), format="fltp", layout=self._layout)
        frame.rate = self._rate
        self._gather(self._converter.convert(frame))

    def samples(self) -> Samples:
        self._gather(self._converter.flush())
        return self._gathered.samples()

    def _gather(self, blocks: Iterator[Sound]) -> None:
        for block in blocks:
            self._gathered.add(block[0])
