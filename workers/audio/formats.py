"""Open recordings of any common format, and say why one cannot be opened."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from typing import Any

import av

from app.core.errors import SpeechError
from workers.audio import pcm
from workers.audio.parts import Part, PartFile

# An allow-list, as playlist formats (hls, concat, sdp, dash) make FFmpeg open other files and network addresses.
FORMATS = (
    "aac,ac3,act,aiff,amr,amrnb,amrwb,ape,aptx,asf,au,avi,avr,bonk,bwf,caf,dsf,dss,dts,dtshd,dv,eac3,flac,flv,gsm,gxf,iff,"
    "ilbc,ircam,laf,loas,matroska,webm,mlp,mov,mp4,m4a,3gp,3g2,mj2,mp2,mp3,mpc,mpc8,mpeg,mpegts,mpegvideo,mxf,nistsphere,"
    "nsv,nut,ogg,oma,osq,pva,pvf,qcp,rf64,rm,rso,shn,siff,sox,spx,swf,tak,truehd,tta,ty,voc,vqf,w64,wav,wavarc,wsd,wtv,wv,"
    "wve,xwma"
)
OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
# Of sound that starts long after the picture, FFmpeg sees nothing in the first 5 s.
PATIENT = {"analyzeduration": "600000000", "probesize": "200000000"}
ANNOUNCE_NO_TRACKS = frozenset({"mpegts", "mpeg", "flv"})


def open_container(path: str, part: Part | None = None) -> Any:
    """Open the file, or one part of it. Raises SpeechError: invalid_media, unsupported_media, upload_missing."""
    with translate_errors():
        container = _open(path, part, OPTIONS)
        if container.format.name in ANNOUNCE_NO_TRACKS and not _knows_tracks(container):
            container.close()
            container = _open(path, part, {**OPTIONS, **PATIENT})
        return container


def _open(path: str, part: Part | None, options: dict[str, str]) -> Any:
    if part is None:
        return av.open(path, mode="r", options=options, metadata_errors="replace")
    if part.unmeasured:
        options = {**options, "ignore_length": "1"}
    return av.open(PartFile(path, part), mode="r", options=options, metadata_errors="replace")


def _knows_tracks(container: Any) -> bool:
    contexts = [stream.codec_context for stream in container.streams.audio]
    return bool(contexts) and all(context is None or context.sample_rate for context in contexts)


def open_samples(path: str, part: Part) -> Any:
    """Open samples without a header (pcm.py). Raises SpeechError: invalid_media, upload_missing."""
    with translate_errors():
        return av.open(PartFile(path, part), mode="r", format="s16le", options=pcm.OPTIONS)


@contextlib.contextmanager
def translate_errors() -> Iterator[None]:
    """Translate PyAV's exceptions into SpeechError."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise _translate(error) from error
    except (ValueError, OverflowError, MemoryError) as error:
        raise SpeechError("invalid_media", f"The recording cannot be decoded: {error}.") from error


def _translate(error: av.error.FFmpegError) -> SpeechError:
    if error.errno == errno.ENOENT:
        return SpeechError("upload_missing", "The uploaded recording is no longer in the server's cache.")
    if error.errno == errno.EINVAL:  # raised by av.open for a known format that is not in FORMATS
        return SpeechError("unsupported_media", "This file format is not supported.")
    return SpeechError("invalid_media", "The file cannot be decoded as audio or video.")
