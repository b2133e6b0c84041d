"""Open recordings of any common format with PyAV (FFmpeg) and decode them in blocks."""

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

# An allow-list, as playlist formats (hls, concat, sdp, dash) make FFmpeg open other files and network addresses.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,"
    "mpeg,mpegts,mpc,mpc8,mxf,ogg,rm,shn,spx,swf,tak,tta,voc,w64,wav,wv,xwma,bwf,rf64,nut,oma,sox,aptx,truehd,mpegvideo,dv"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
# Raw streams have no length field; FFmpeg estimates it from the first bit rate, 7 % off where speech and pauses alternate.
ESTIMATED_LENGTH = frozenset({"aac", "ac3", "eac3", "dts", "truehd"})
# Others are corrupt or hostile: resampled from 1 Hz, a small file would fill the memory.
RATES = range(1000, 768_001)
MOST_CHANNELS = 64
FULL_SCALE = 2**31
LAYOUTS = {1: "mono", 2: "stereo"}
# Programs that write a WAV before they know its length put a value near 2**31 or 2**32 in the header.
UNKNOWN_LENGTH_BYTES = 0x7FFF_0000
# Shorter differences are normal: codecs pad, and containers round.
TRUNCATED_SECONDS = 1.0
TRUNCATED_SHARE = 0.02


class Recording:
    """An open recording.

    ``declared`` is its stated length in seconds (or None), ``seconds`` the length decoded so far; ``damaged`` is set once a
    part could not be decoded.
    """

    def __init__(self, container: Any, run: Run[Params]) -> None:
        longest = run.settings.limits.max_audio_hours * 3600
        self._container = container
        self._stream = _find_audio_stream(container)
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
        """Decoded share of the declared length, 0–1.

        It is 0 when none is declared.
        """
        return min(1.0, self.seconds / self.declared) if self.declared else 0.0

    def blocks(self, rate: int, channels: int) -> Iterator[Sound]:
        """Decode in blocks at ``rate`` Hz.

        Blocks have shape (channels, samples), float32 in [-1, 1], finite. One channel is the mean of all. With two, a
        mono recording is copied to both at its own level. Warns at the end when a part was missing. Raises
        SpeechError: too_long, invalid_media.
        """
        one = channels == 1 or self._stream.codec_context.channels == 1  # swresample would copy mono to stereo at -3 dB
        # Integers, as swresample scales a downmix against overflow only for those; floats would exceed 1 and clip.
        resampler = AudioResampler(format="s32p", layout=LAYOUTS[1 if one else channels], rate=rate)
        with _translate_errors():
            for frame in self._decode_frames():
                frame.pts = None  # timestamp gaps of a broken file must not shift the rest
                yield from self._convert(resampler.resample(frame), rate, channels)
            yield from self._convert(resampler.resample(None), rate, channels)
        self._check_complete()

    def _convert(self, frames: list[AudioFrame], rate: int, channels: int) -> Iterator[Sound]:
        for frame in frames:
            block: Sound = frame.to_ndarray().astype(np.float32)
            block /= FULL_SCALE
            self.seconds += block.shape[1] / rate
            if self.seconds > self._longest:
                raise _too_long(self._longest)
            yield block if len(block) == channels else np.repeat(block, channels, axis=0)

    def _check_complete(self) -> None:
        if not self.seconds:
            raise SpeechError("invalid_media", "The recording contains no audio that can be decoded.")
        stated = None if self._container.format.name in ESTIMATED_LENGTH else self._announced
        if self.damaged or _is_cut_short(self.seconds, stated):
            total = f" of {self._announced:.1f} s" if self._announced else ""
            self._warn(f"truncated_media: the recording is damaged or cut off; decoded {self.seconds:.1f} s{total}")

    def _decode_frames(self) -> Iterator[AudioFrame]:
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
            except av.error.FFmpegError:  # keep the rest of the recording
                self.damaged = True


@contextlib.contextmanager
def open_recording(run: Run[Params]) -> Iterator[Recording]:
    """Open the recording of the task. Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long."""
    with contextlib.ExitStack() as stack:
        with _translate_errors():
            container = av.open(run.job.source, mode="r", options=OPTIONS, metadata_errors="replace")
            recording = Recording(stack.enter_context(container), run)
        yield recording


@contextlib.contextmanager
def _translate_errors() -> Iterator[None]:
    """Translate PyAV's exceptions into SpeechError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise _translate(error) from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise SpeechError("invalid_media", f"The recording cannot be decoded: {error}.") from error


def _find_audio_stream(container: Any) -> Any:
    if not container.streams.audio:
        raise SpeechError("no_audio", "The file has no audio track.")
    stream = container.streams.best("audio") or container.streams.audio[0]
    context = stream.codec_context
    if context is None:
        raise SpeechError("unsupported_media", "The audio track uses an unsupported codec.")
    if context.sample_rate not in RATES:
        raise SpeechError("invalid_media", f"The sample rate of {context.sample_rate} Hz is not supported.")
    if not 1 <= context.channels <= MOST_CHANNELS:
        raise SpeechError("invalid_media", f"Recordings with {context.channels} channels are not supported.")
    stream.thread_type = "AUTO"  # frame threads, too; PyAV's default is slices only
    return stream


def _declared_seconds(container: Any, stream: Any) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def _announced_seconds(declared: float | None, form: str, source: str) -> float | None:
    """The length in seconds before the recording was cut off.

    For a truncated WAV, FFmpeg reports only what is left of it; the header still has the original size.
    """
    if declared is None or form != "wav":
        return declared
    with open(source, "rb") as file:
        head = file.read(8)
        here = file.seek(0, os.SEEK_END)
    whole = int.from_bytes(head[4:], "little") + len(head)
    return declared * whole / here if head[:4] == b"RIFF" and here < whole < UNKNOWN_LENGTH_BYTES else declared


def _is_cut_short(seconds: float, declared: float | None) -> bool:
    return declared is not None and declared - seconds > max(TRUNCATED_SECONDS, TRUNCATED_SHARE * declared)


def _too_long(longest: float) -> SpeechError:
    return SpeechError("too_long", f"The recording is longer than the limit of {longest / 3600:g} hours.")


def _translate(error: av.error.FFmpegError) -> SpeechError:
    if error.errno == errno.ENOENT:
        return SpeechError("upload_missing", "The uploaded recording is no longer in the server's cache.")
    if error.errno == errno.EINVAL:  # raised by av.open for a known format that is not in FORMATS
        return SpeechError("unsupported_media", "This file format is not supported.")
    return SpeechError("invalid_media", "The file cannot be decoded as audio or video.")
