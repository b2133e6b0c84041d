"""Samples without a header: 16 bit, little endian, 16 kHz, mono.

FFmpeg guesses a format for any bytes, so that only what surely is another format is left to it.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from app.core.errors import SpeechError
from workers.audio.parts import Part

SAMPLE_BYTES = 2
OPTIONS = {"sample_rate": "16000", "ch_layout": "mono", "format_whitelist": "s16le", "protocol_whitelist": "file"}
HEAD_BYTES = 16_384
# How files of common formats begin. In sound, four given bytes do not come at the beginning by chance.
BEGINNINGS = (
    *(
        b"RIFF",
        b"RIFX",
        b"RF64",
        b"FORM",
        b"fLaC",
        b"OggS",
        b"ID3",
        b"caff",
        b"#!AMR",
        b".snd",
        b"MAC ",
        b"wvpk",
        b"TTA1",
    ),
    *(
        b"MPCK",
        b"MP+",
        b"DSD ",
        b"FRM8",
        b".RMF",
        b"FLV\x01",
        b"tBaK",
        b"NIST_1A",
        b"riff\x2e\x91",
        b"\x02dss",
        b"\x03ds2",
    ),
    *(b"Creative Voice File", b"EA3\x03", b"ea3\x03", b"0&\xb2u", b"\x1a\x45\xdf\xa3", b"\x00\x00\x01\xba"),
    b"\x06\x0e\x2b\x34\x02\x05\x01\x01",
)
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"skip", b"free", b"pnot")  # of MP4 and QuickTime, after a length
FEWEST_FRAMES = 4  # in a row: one alone is often found in sound
TS_PACKETS = ((0, 188), (4, 192))  # offset and length
MPEG_RATES = (44_100, 48_000, 32_000)
MPEG_KBITS = {
    (1, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (1, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (1, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (2, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}


def find_samples(path: str) -> Part | None:
    """Return the whole samples of a file, without an odd last byte; None if it is in a known format.

    Raises SpeechError upload_missing.
    """
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD_BYTES)
            size = file.seek(0, os.SEEK_END)
    except FileNotFoundError as error:
        raise SpeechError("upload_missing", "The uploaded recording is no longer in the server's cache.") from error
    return None if is_known_format(head) else Part(0, size - size % SAMPLE_BYTES)


def is_known_format(head: bytes) -> bool:
    """Whether a file that begins with ``head`` has a format of its own."""
    if head.startswith(BEGINNINGS) or head[4:8] in BOXES:
        return True
    return _has_frames(head, _measure_mpeg) or _has_frames(head, _measure_adts) or _is_transport_stream(head)


def _has_frames(head: bytes, measure: Callable[[bytes], int]) -> bool:
    """Whether frames follow each other from the first byte on; ``measure`` returns the length of one, 0 for none."""
    at = 0
    for _ in range(FEWEST_FRAMES):
        length = measure(head[at : at + 6])
        if not length:
            return False
        at += length
    return True


def _measure_mpeg(head: bytes) -> int:
    """Measure a frame of MPEG audio, such as MP3 (ISO 11172-3, section 2.4)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return 0
    version, layer = {3: 1, 2: 2, 0: 3}.get(head[1] >> 3 & 3, 0), 4 - (head[1] >> 1 & 3)
    bits, rate = head[2] >> 4, head[2] >> 2 & 3
    if not version or layer == 4 or not 0 < bits < 15 or rate == 3:
        return 0
    kbits = MPEG_KBITS[min(version, 2), layer][bits - 1]
    hertz = MPEG_RATES[rate] >> (version - 1)
    padding = head[2] >> 1 & 1
    if layer == 1:
        return (12_000 * kbits // hertz + padding) * 4
    return (72_000 if layer == 3 and version > 1 else 144_000) * kbits // hertz + padding


def _measure_adts(head: bytes) -> int:
    """Measure a frame of AAC (ISO 13818-7, section 6.2)."""
    if len(head) < 6 or head[0] != 0xFF or head[1] & 0xF6 != 0xF0:
        return 0
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else 0


def _is_transport_stream(head: bytes) -> bool:
    return any(head[offset : offset + 8 * step : step] == b"\x47" * 8 for offset, step in TS_PACKETS)
