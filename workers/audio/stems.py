"""Write stems to files, in bounded memory.

Either all files of a folder are stored durably, or none is left.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypedDict

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from numpy.typing import NDArray

from app.core.errors import SpeechError
from app.core.storage.durable import sync_file, sync_folder
from app.core.storage.paths import partial_folder
from app.core.storage.removal import remove_stems

Sound = NDArray[np.float32]

CHUNK = 1024 * 1024


@dataclass(frozen=True)
class Encoding:
    """How PyAV encodes a stem.

    ``options`` are those of the muxer; ``bit_rate`` is in bit/s, for lossy codecs.
    """

    codec: str
    options: dict[str, str]
    bit_rate: int | None = None


# rf64: plain WAV files end at 4 GiB, which is 6 hours of CD quality
ENCODINGS = {
    "wav": Encoding("pcm_s16le", {"rf64": "auto"}),
    "flac": Encoding("flac", {}),
    "mp3": Encoding("libmp3lame", {}, bit_rate=320_000),
}


class StemFile(TypedDict):
    """One file of a result.

    ``stem`` is vocals or instrumental, ``size`` is in bytes, ``sha256`` is hexadecimal.
    """

    name: str
    stem: str
    size: int
    sha256: str


class StemWriter:
    """Encode one stem to a file.

    ``bit_rate``: another one than that of ENCODINGS, in bit/s.
    """

    def __init__(self, path: Path, file_format: str, rate: int, channels: int, bit_rate: int | None = None) -> None:
        encoding = ENCODINGS[file_format]
        self._rate = rate
        self._layout = "stereo" if channels == 2 else "mono"
        self._output = av.open(str(path), "w", format=file_format, options=encoding.options)
        self._stream: Any = self._output.add_stream(encoding.codec, rate=rate, layout=self._layout)
        if bit_rate or encoding.bit_rate:
            self._stream.bit_rate = bit_rate or encoding.bit_rate
        self._fit: AudioResampler | None = None
        self._at = 0

    def write(self, sound: Sound) -> None:
        """Append ``sound``, of shape (channels, samples).

        Samples beyond ±1 are clipped.
        """
        if sound.shape[1]:
            frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound.clip(-1, 1)), format="fltp", layout=self._layout)
            frame.rate, frame.pts = self._rate, self._at
            self._at += sound.shape[1]
            self._encode(frame)

    def finish(self) -> None:
        """Flush the encoder, complete the header, close the file."""
        self._encode(None)
        self._output.mux(self._stream.encode(None))
        self.close()

    def close(self) -> None:
        self._output.close()

    def _encode(self, frame: AudioFrame | None) -> None:
        if self._fit is None:  # the frame size is known only once the codec is open
            context = self._stream.codec_context
            context.open(strict=False)
            self._fit = AudioResampler(context.format, self._layout, self._rate, frame_size=context.frame_size or None)
        for fitted in self._fit.resample(frame):
            self._output.mux(self._stream.encode(fitted))


@contextlib.contextmanager
def open_stems(
    folder: Path, names: Sequence[str], file_format: str, rate: int, channels: int
) -> Iterator[dict[str, StemWriter]]:
    """Open a StemWriter for each name.

    When the block succeeds, ``folder`` appears with all files, synced to disk. If it raises, nothing is left.
    """
    remove_stems(folder)  # left by this claim's earlier process, which has died
    partial = partial_folder(folder)
    partial.mkdir()
    writers: dict[str, StemWriter] = {}
    try:
        for name in names:
            writers[name] = StemWriter(partial / f"{name}.{file_format}", file_format, rate, channels)
        yield writers
        for writer in writers.values():
            writer.finish()
        for path in partial.iterdir():
            with path.open("rb") as file:
                sync_file(file)
        sync_folder(partial)
        partial.rename(folder)
        sync_folder(folder.parent)
    except BaseException as error:
        for writer in writers.values():
            with contextlib.suppress(av.error.FFmpegError):  # closing may fail as well; report the first error
                writer.close()
        shutil.rmtree(partial)
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            raise SpeechError("insufficient_storage", "The server's disk is full; try again later.") from error
        raise


def describe_stems(folder: Path) -> list[StemFile]:
    """Describe the files of a finished folder, by name."""
    paths = sorted(folder.iterdir())
    return [{"name": p.name, "stem": p.stem, "size": p.stat().st_size, "sha256": _hash_file(p)} for p in paths]


def _hash_file(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
