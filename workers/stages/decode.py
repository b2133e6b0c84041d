"""Any common recording to 16 kHz mono float32, by its content, never by its name; PyAV brings its own FFmpeg."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from app.errors import SpeechError
from workers.run import Run

SAMPLE_RATE = 16_000
Samples = NDArray[np.float32]

# By list: a playlist (hls, concat, sdp, dash) would make FFmpeg open other files and addresses of its choosing.
FORMATS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,"
    "mpeg,mpegts,mpc,mpc8,mxf,ogg,rm,shn,spx,swf,tak,tta,voc,w64,wav,wv,xwma,bwf,rf64,nut,oma,sox,aptx,truehd,mpegvideo,dv"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
RATES = range(1000, 768_001)
MOST_CHANNELS = 64
FULL_SCALE = 2**31
TRUNCATED_SECONDS = 1.0
TRUNCATED_SHARE = 0.02


def decode(run: Run) -> Samples:
    """The recording's sound: shape (samples,), float32 in [-1, 1] at 16 kHz, finite.

    Raises SpeechError: invalid_media, unsupported_media, no_audio, too_long.
    """
    longest = run.settings.limits.max_audio_hours * 3600
    try:
        with av.open(run.job.source, mode="r", options=OPTIONS, metadata_errors="replace") as container:
            stream = _audio_stream(container)
            declared = _declared_seconds(container, stream)
            if declared is not None and declared > longest:
                raise _too_long(longest)
            samples, damaged = _collect(container, stream, declared, longest, run)
    except av.error.FFmpegError as error:
        raise _unreadable(error) from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise SpeechError("invalid_media", f"The recording cannot be decoded: {error}.") from error
    if not len(samples):
        raise SpeechError("invalid_media", "The recording holds no sound that can be decoded.")
    seconds = len(samples) / SAMPLE_RATE
    if damaged or _cut_short(seconds, declared):
        said = f" of {declared:.1f} s" if declared else ""
        run.warn(f"truncated_media: the recording is damaged or cut off; {seconds:.1f} s{said} could be decoded")
    return samples


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


def _collect(container: Any, stream: Any, declared: float | None, longest: float, run: Run) -> tuple[Samples, bool]:
    """All samples, in a buffer that grows in place, and whether anything on the way was damaged."""
    buffer = np.empty(int((declared or 60.0) * SAMPLE_RATE) + SAMPLE_RATE, np.float32)
    filled, state = 0, _Damage()
    for block in _blocks(container, stream, state):
        if (filled + len(block)) > longest * SAMPLE_RATE:
            raise _too_long(longest)
        if filled + len(block) > len(buffer):
            buffer.resize(max(2 * len(buffer), filled + len(block)), refcheck=False)
        buffer[filled : filled + len(block)] = block
        filled += len(block)
        if declared:
            run.advance(filled / SAMPLE_RATE / declared)
    buffer.resize(filled, refcheck=False)
    return buffer, state.seen


class _Damage:
    """Whether a packet could not be decoded; the rest of the recording is still worth having."""

    seen = False


def _blocks(container: Any, stream: Any, damage: _Damage) -> Iterator[Samples]:
    # Whole numbers, since swresample mixes channels down without overflow only for those; floats would be clipped.
    resampler = AudioResampler(format="s32", layout="mono", rate=SAMPLE_RATE)
    for frame in _frames(container, stream, damage):
        frame.pts = None  # gaps in the clock of a broken file must not shift what follows
        yield from map(_as_float, resampler.resample(frame))
    yield from map(_as_float, resampler.resample(None))


def _as_float(block: AudioFrame) -> Samples:
    samples: Samples = block.to_ndarray()[0].astype(np.float32)
    samples /= FULL_SCALE
    return samples


def _frames(container: Any, stream: Any, damage: _Damage) -> Iterator[AudioFrame]:
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError:
            damage.seen = True
            return
        try:
            yield from packet.decode()
        except av.error.FFmpegError:
            damage.seen = True


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
