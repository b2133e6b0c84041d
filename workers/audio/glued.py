"""Find whole files that were glued together, of formats where FFmpeg reads only the first or mixes them up.

FFmpeg reads on by itself in MP3, AAC and MPEG-TS.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import BinaryIO

from workers.audio.parts import Part

CHUNK_HEAD = 8
WAVE_HEAD = 12
PADDING = 8  # between two files, at most
WAVE = (b"RIFF", b"RF64")
FEW_BYTES = 4096  # left over by some programs
# Programs that write a WAV before they know its length put a value near 2**31 or 2**32 in the header.
UNKNOWN_LENGTH_BYTES = 0x7FFF_0000
MARKS = {"flac": b"fLaC\0\0\0\x22", "amr": b"#!AMR"}
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"
OGG_FIRST_PAGE = b"OggS\0\x02"
OGG_HEAD = 27
MOST_MARKS = 1_000_000  # a hostile file consists of nothing else


def find_parts(path: str, form: str) -> list[Part | None]:
    """List the parts of the file at ``path``, which FFmpeg opens as ``form``; None is the whole file."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if form == "wav":
            parts = list(_split_wave(file, size))
        else:
            starts = [0, *_find_starts(file, form)[1:]]
            parts = [Part(start, end) for start, end in zip(starts, [*starts[1:], size], strict=True)]
    return [None] if parts == [Part(0, size)] else [*parts]


def _find_starts(file: BinaryIO, form: str) -> list[int]:
    if "mp4" in form:
        return list(_find_movies(file))
    if "matroska" in form:
        return list(_find_segments(file))
    if form not in (*MARKS, "ogg"):
        return []
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return list(_find_links(data) if form == "ogg" else _find_marks(data, MARKS[form]))


def _find_movies(file: BinaryIO) -> Iterator[int]:
    """Find the MP4 files: each has one list of its tracks, and a file type before it."""
    at, complete = 0, True
    for _ in range(MOST_MARKS):
        head = _read_at(file, at, 16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:], "big")
        if length < CHUNK_HEAD:  # 0: until the end of the file
            return
        if name == b"ftyp" and complete:
            yield at
            complete = False
        complete = complete or name == b"moov"
        at += length


def _find_segments(file: BinaryIO) -> Iterator[int]:
    """Find the Matroska files: FFmpeg reads on after a live recording, whose length is unknown, but not after others."""
    at = 0
    for _ in range(MOST_MARKS):
        head = _read_at(file, at, 16)
        name = head[:4]
        if name == EBML:
            yield at
        elif name != SEGMENT:
            return
        octets = 9 - head[4].bit_length() if len(head) == 16 else 9
        length = int.from_bytes(head[4 : 4 + octets], "big") & ((1 << 7 * octets) - 1)
        if octets > 8 or length == (1 << 7 * octets) - 1:
            return
        at += 4 + octets + length


def _find_marks(data: mmap.mmap, mark: bytes) -> Iterator[int]:
    at = -1
    for _ in range(MOST_MARKS):
        at = data.find(mark, at + 1)
        if at < 0:
            return
        yield at


def _find_links(data: mmap.mmap) -> Iterator[int]:
    """Find the links of a chained Ogg file: each begins with the first pages of all its tracks."""
    expected = -1
    for at in _find_marks(data, OGG_FIRST_PAGE):
        if at != expected:
            yield at
        lengths = at + OGG_HEAD
        segments = data[lengths - 1] if lengths <= len(data) else 0
        expected = lengths + segments + sum(data[lengths : lengths + segments])


def _split_wave(file: BinaryIO, size: int) -> Iterator[Part]:
    start = 0
    for _ in range(MOST_MARKS):
        after = _find_end_of_samples(file, start, size)
        if after is None:
            break
        at = _skip_chunks(file, after)
        following = _find_wave(file, at)
        if following is None:
            yield Part(start, size, unmeasured=size - at > FEW_BYTES)
            return
        yield Part(start, following)
        start = following
    yield Part(start, size)


def _find_end_of_samples(file: BinaryIO, start: int, size: int) -> int | None:
    """Return where the stated samples end; None if that is the end of the file, or no length is stated."""
    head = _read_at(file, start, WAVE_HEAD)
    if head[:4] != b"RIFF" or head[8:] != b"WAVE":
        return None  # RF64 states its length elsewhere
    at = start + WAVE_HEAD
    for _ in range(MOST_MARKS):
        head = _read_at(file, at, CHUNK_HEAD)
        length = int.from_bytes(head[4:], "little")
        end = at + CHUNK_HEAD + length
        if head[:4] == b"data":
            return end if 0 < length < UNKNOWN_LENGTH_BYTES and end < size else None
        if len(head) < CHUNK_HEAD:
            break
        at = end + length % 2
    return None


def _skip_chunks(file: BinaryIO, at: int) -> int:
    """Skip the chunks after the samples, such as titles; return where they end."""
    for _ in range(MOST_MARKS):
        for start in (at, at + at % 2):
            head = _read_at(file, start, CHUNK_HEAD)
            if len(head) == CHUNK_HEAD and head[:4] not in WAVE and all(32 <= letter < 127 for letter in head[:4]):
                at = start + CHUNK_HEAD + int.from_bytes(head[4:], "little")
                break
        else:
            return at
    return at


def _find_wave(file: BinaryIO, at: int) -> int | None:
    near = _read_at(file, at, PADDING + WAVE_HEAD)
    for offset in range(PADDING):
        if near[offset : offset + 4] in WAVE and near[offset + 8 : offset + 12] == b"WAVE":
            return at + offset
    return None


def _read_at(file: BinaryIO, at: int, count: int) -> bytes:
    file.seek(at)
    return file.read(count)
