"""Open any common recording by its content, never by its name, and give its sound in blocks; PyAV brings its own FFmpeg."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from app.core.errors import SpeechError
from app.core.params import Params
from workers.device.run import Run

Sound = NDArray[np.float32]

# By list: a playlist (hls, concat, sdp, dash) would make FFmpeg open other files and addresses of its choosing.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,"
    "mpeg,mpegts,mpc,mpc8,mxf,ogg,rm,shn,spx,swf,tak,tta,voc,w64,wav,wv,xwma,bwf,rf64,nut,oma,sox,aptx,truehd,mpegvideo,dv"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
# Bare streams state no length; FFmpeg reckons one from the bit rate of the beginning, 7 % off where speech and pauses alternate.
RECKONED = frozenset({"aac", "ac3", "eac3", "dts", "truehd"})
RATES = range(1000, 768_001)
MOST_CHANNELS = 64
FULL_SCALE = 2**31
LAYOUTS = {1: "mono", 2: "stereo"}
# From here on, the length in a WAV's header is what programs write that do not know it yet: 2**31 or 2**32, less a bit.
ENDLESS_BYTES = 0x7FFF_0000
TRUNCATED_SECONDS = 1.0
TRUNCATED_SHARE = 0.02


class Recording:
    """An open recording: ``declared`` seconds it claims to last, ``seconds`` given so far, ``damaged`` once some were lost."""

    def __init__(self, container: Any, run: Run[Params]) -> None:
        longest = run.settings.limits.max_audio_hours * 3600
        self._container = container
        self._stream = _audio_stream(container)
        self._longest = longest
        self._warn = run.warn
        self.declared = _declared_seconds(container, self._stream)
        self._announced = _announced_seconds(self.declared, container.format.name, run.job.source)
        self.seconds = 0.0
        self.damaged = False
        if self.declared is not None and self.declared > longest:
            raise _too_long(longest)

    @property
    def progress(self) -> float:
        """How much of the declared length has been given, 0–1; 0 when none was declared."""
        return min(1.0, self.seconds / self.declared) if self.declared else 0.0

    def blocks(self, rate: int, channels: int) -> Iterator[Sound]:
        """The sound from the start, each block of shape (channels, samples), float32 in [-1, 1], finite.

        One channel is the mean of all; two are stereo, where a recording of one is on both as loud as it is.
        At their end, a warning when some of it was missing. Raises SpeechError: too_long, invalid_media.
        """
        one = channels == 1 or self._stream.codec_context.channels == 1  # swresample would spread one at -3 dB
        # Whole numbers, since swresample mixes channels down without overflow only for those; floats would be clipped.
        resampler = AudioResampler(format="s32p", layout=LAYOUTS[1 if one else channels], rate=rate)
        with _told():
            for frame in self._frames():
                frame.pts = None  # gaps in the clock of a broken file must not shift what follows
                yield from self._counted(resampler.resample(frame), rate, channels)
            yield from self._counted(resampler.resample(None), rate, channels)
        self._judge()

    def _counted(self, frames: list[AudioFrame], rate: int, channels: int) -> Iterator[Sound]:
        for frame in frames:
            block: Sound = frame.to_ndarray().astype(np.float32)
            block /= FULL_SCALE
            self.seconds += block.shape[1] / rate
            if self.seconds > self._longest:
                raise _too_long(self._longest)
            yield block if len(block) == channels else np.repeat(block, channels, axis=0)

    def _judge(self) -> None:
        if not self.seconds:
            raise SpeechError("invalid_media", "The recording holds no sound that can be decoded.")
        stated = None if self._container.format.name in RECKONED else self._announced
        if self.damaged or _cut_short(self.seconds, stated):
            said = f" of {self._announced:.1f} s" if self._announced else ""
            say = f"the recording is damaged or cut off; {self.seconds:.1f} s{said} could be decoded"
            self._warn(f"truncated_media: {say}")

    def _frames(self) -> Iterator[AudioFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except av.error.FFmpegError:
                self.damaged = True
                return
            try:
                yield from packet.decode()
            except av.error.FFmpegError:  # the rest of the recording is still worth having
                self.damaged = True


@contextlib.contextmanager
def opened(run: Run[Params]) -> Iterator[Recording]:
    """The task's recording. Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long."""
    with contextlib.ExitStack() as stack:
        with _told():
            container = av.open(run.job.source, mode="r", options=OPTIONS, metadata_errors="replace")
            recording = Recording(stack.enter_context(container), run)
        yield recording


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """What PyAV says about a recording, as a SpeechError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise _unreadable(error) from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise SpeechError("invalid_media", f"The recording cannot be decoded: {error}.") from error


def _audio_stream(container: Any) -> Any:
    if not container.streams.audio:
        raise SpeechError("no_audio", "The file holds no audio track.")
    stream = container.streams.best("audio") or container.streams.audio[0]
    context = stream.codec_context
    if context is None:
        raise SpeechError("unsupported_media", "The audio track uses a codec that this server does not know.")
    if context.sample_rate not in RATES:
        raise SpeechError("invalid_media", f"A sample rate of {context.sample_rate} Hz cannot be used.")
    if not 1 <= context.channels <= MOST_CHANNELS:
        raise SpeechError("invalid_media", f"A recording of {context.channels} channels cannot be used.")
    stream.thread_type = "AUTO"
    return stream


def _declared_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _announced_seconds(declared: float | None, form: str, source: str) -> float | None:
    """What the recording said of its length when it was whole: FFmpeg takes back what a WAV's header says and the file lacks."""
    if declared is None or form != "wav":
        return declared
    with open(source, "rb") as file:
        head = file.read(8)
        here = file.seek(0, os.SEEK_END)
    whole = int.from_bytes(head[4:], "little") + len(head)
    return declared * whole / here if head[:4] == b"RIFF" and here < whole < ENDLESS_BYTES else declared


def _cut_short(seconds: float, declared: float | None) -> bool:
    return declared is not None and declared - seconds > max(TRUNCATED_SECONDS, TRUNCATED_SHARE * declared)


def _too_long(longest: float) -> SpeechError:
    return SpeechError("too_long", f"The recording is longer than the {longest / 3600:g} hours that this server takes.")


def _unreadable(error: av.error.FFmpegError) -> SpeechError:
    if error.errno == errno.ENOENT:
        return SpeechError("upload_missing", "The uploaded recording is no longer in the server's cache.")
    if error.errno == errno.EINVAL:  # from av.open: recognized, but not on the list
        return SpeechError("unsupported_media", "Files of this format are not accepted.")
    return SpeechError("invalid_media", "The file is not a recording that can be decoded.")
