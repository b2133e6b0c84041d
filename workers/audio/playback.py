"""Tell how a browser would play a recording: its media type, and whether all current browsers play it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

HEAD_BYTES = 64
ATTACHED_PICTURE = 0x400  # AV_DISPOSITION_ATTACHED_PIC: the cover of an album is no video
DOCUMENT_TYPE = b"\x42\x82"  # the EBML element that tells WebM from Matroska, near the beginning

# What Chromium, Firefox and Safari play, as container: audio codecs.
PLAYED = {
    "aac": {"aac"},
    "flac": {"flac"},
    "mp3": {"mp3"},
    "mp4": {"aac", "flac", "mp3", "opus"},
    "ogg": {"flac", "opus", "vorbis"},
    "wav": {"pcm_f32le", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_u8"},
    "webm": {"opus", "vorbis"},
}
SUBTYPES = {"mp3": "mpeg", "matroska": "x-matroska"}
WITH_VIDEO = ("matroska", "mp4", "ogg", "quicktime", "webm")


@dataclass(frozen=True)
class Playback:
    """``media_type`` is None for a container that browsers do not know."""

    media_type: str | None = None
    is_played: bool = False


def describe_playback(container: Any, track: int, head: bytes) -> Playback:
    """Describe an open file whose audio track ``track`` is decoded; ``head`` is its beginning."""
    kind = name_container(container, head)
    if kind not in PLAYED and kind not in ("matroska", "quicktime"):
        return Playback()
    pictures = [stream for stream in container.streams.video if not int(stream.disposition) & ATTACHED_PICTURE]
    group = "video" if pictures and kind in WITH_VIDEO else "audio"
    context = container.streams.audio[track].codec_context
    # Players take the first track.
    is_played = track == 0 and context.codec.canonical_name in PLAYED.get(kind, ())
    return Playback(write_type(kind, group), is_played)


def write_type(kind: str, group: str) -> str:
    """Write the media type of a container; ``group`` is audio or video."""
    if (kind, group) == ("quicktime", "audio"):  # it has no type of its own
        return "audio/mp4"
    return f"{group}/{SUBTYPES.get(kind, kind)}"


def name_container(container: Any, head: bytes) -> str:
    """Name the container, more exactly than FFmpeg: browsers play MP4 and WebM, but not QuickTime and Matroska."""
    name: str = container.format.name
    if name == "wav" and not head.startswith(b"RIFF"):  # RF64, for more than 4 GB
        return "rf64"
    if name == "matroska,webm":
        return "webm" if DOCUMENT_TYPE in head and b"webm" in head else "matroska"
    if name.startswith("mov,mp4"):
        return "quicktime" if container.metadata.get("major_brand", "qt  ") == "qt  " else "mp4"
    return name
