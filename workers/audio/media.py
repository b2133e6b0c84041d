"""Open recordings of any common format with PyAV (FFmpeg) and decode them in blocks."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from app.core.errors import SpeechError
from app.core.params import RecordingOptions
from workers.audio.clock import LONGEST_PAUSE, Clock
from workers.audio.convert import Converter
from workers.audio.formats import open_container, open_samples, translate_errors
from workers.audio.glued import find_parts
from workers.audio.lengths import Length, is_continuous, is_cut_short, read_length
from workers.audio.mixing import Sound
from workers.audio.parts import Part
from workers.audio.pcm import find_samples
from workers.audio.pieces import TrackReader
from workers.audio.playback import HEAD_BYTES, Playback, describe_playback
from workers.audio.tracks import choose_track, list_tracks, rank_tracks
from workers.device.run import Run


class Recording:
    """An open recording.

    ``declared`` is its stated length in seconds (or None), ``seconds`` the length decoded so far; ``damaged`` is set once
    a part turns out to be missing. ``playback`` says how browsers play it.
    """

    def __init__(self, run: Run[RecordingOptions]) -> None:
        self._source = run.job.source
        self._part: Part | None = None
        self._longest = run.settings.limits.max_audio_hours * 3600
        self._warn = run.warn
        self._samples = find_samples(self._source) if run.params.raw_pcm else None
        self._container = self._reopen()
        try:
            if run.params.raw_pcm and self._samples is None:
                run.warn(f"raw_pcm has no effect: the recording has a format of its own, {self._container.format.name}")
            self._parts = find_parts(self._source, self._container.format.name)
            self._part = self._parts[0]
            if self._part is not None:
                self._open(self._part)
            self._track = choose_track(self._container, run.params.audio_track, run.warn, self._reopen)
            self._length = self._read_length()
            self.playback = self._describe_playback()
        except BaseException:
            self.close()
            raise
        self.declared = self._length.declared if len(self._parts) == 1 else None
        self.seconds = 0.0
        self.damaged = False
        self._heard = 0.0

    @property
    def progress(self) -> float:
        """Decoded share of the declared length, 0–1.

        It is 0 when none is declared.
        """
        return min(1.0, self.seconds / self.declared) if self.declared else 0.0

    def close(self) -> None:
        self._container.close()

    def blocks(self, rate: int, channels: int) -> Iterator[Sound]:
        """Decode in blocks at ``rate`` Hz.

        Blocks have shape (channels, samples), float32 in [-1, 1], finite. One channel is the mean of all. With two, a
        mono recording is copied to both at its own level. Where packets are missing, there is silence. Warns at the end
        when a part was missing. Raises SpeechError: too_long, invalid_media.
        """
        clock, converter = Clock(), Converter(rate, channels)
        with translate_errors():
            for reader in self._read_parts():
                for block in self._convert(reader, clock, converter):
                    self.seconds = converter.written / rate
                    yield block
            for block in converter.flush():
                self.seconds = converter.written / rate
                yield block
        self._report(clock)

    def _convert(self, reader: TrackReader, clock: Clock, converter: Converter) -> Iterator[Sound]:
        begin, ignored = clock.position, clock.ignored
        clock.start_part(reader.start)
        for piece in clock.place(reader.read()):
            if clock.position > self._longest:
                raise _too_long(self._longest)
            if piece.frame is not None:
                yield from converter.convert(piece.frame)
                continue
            if piece.gap:
                reader.examine_gap(piece.seconds)
            yield from converter.fill(clock.position)
        reached = reader.reach if self._length.shared else clock.position - begin + clock.ignored - ignored
        self.damaged = self.damaged or reader.damaged or is_cut_short(reached, self._length.stated)
        self._heard += clock.position - begin if not reader.damaged else reader.heard

    def _read_parts(self) -> Iterator[TrackReader]:
        yield self._read_track()
        for part in self._parts[1:]:
            try:
                self._open(part)
                found = list_tracks(self._container)
                self._track = self._track if self._track in rank_tracks(found) else rank_tracks(found)[0]
            except SpeechError:
                self.damaged = True
            else:
                self._length = self._read_length()
                yield self._read_track()

    def _read_track(self) -> TrackReader:
        return TrackReader(self._container, self._container.streams.audio[self._track], self._length.shared)

    def _open(self, part: Part | None) -> None:
        self._container.close()
        self._part = part
        self._container = self._reopen()

    def _describe_playback(self) -> Playback:
        if self._samples is not None or len(self._parts) > 1:  # players stop at the end of the first part
            return Playback()
        with open(self._source, "rb") as file:
            return describe_playback(self._container, self._track, file.read(HEAD_BYTES))

    def _reopen(self) -> Any:
        samples = self._samples
        return open_container(self._source, self._part) if samples is None else open_samples(self._source, samples)

    def _read_length(self) -> Length:
        length = read_length(self._container, self._container.streams.audio[self._track], self._source)
        if length.declared is None or length.declared <= self._longest:
            return length
        with self._reopen() as probe:
            if is_continuous(probe, probe.streams.audio[self._track], length.declared):
                raise _too_long(self._longest)
        return Length(None, None)

    def _report(self, clock: Clock) -> None:
        if not self.seconds:
            raise SpeechError("invalid_media", "The recording contains no audio that can be decoded.")
        for position, seconds in clock.jumps:
            if seconds < LONGEST_PAUSE:
                self._warn(
                    f"clock: the timestamps of the recording jump ahead by {seconds / 3600:.1f} h after {position:.1f} s;"
                    " the jump was left out"
                )
        if self.damaged:
            total = f" of {self._length.stated:.1f} s" if self._length.stated and len(self._parts) == 1 else ""
            self._warn(f"truncated_media: the recording is damaged or cut off; decoded {self._heard:.1f} s{total}")


@contextlib.contextmanager
def open_recording(run: Run[RecordingOptions]) -> Iterator[Recording]:
    """Open the recording of the task.

    Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long, invalid_parameters.
    """
    with contextlib.closing(Recording(run)) as recording:
        run.add_facts(media_type=recording.playback.media_type)
        yield recording


def _too_long(longest: float) -> SpeechError:
    return SpeechError("too_long", f"The recording is longer than the limit of {longest / 3600:g} hours.")
