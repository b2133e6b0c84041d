"""Where results are written, and whether they are there already."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Of results whose extension is not the name of their format, as the service names them.
EXTENSIONS = {"textgrid": "TextGrid", "audacity": "labels.txt", "qda": "qda.txt", "nvivo": "nvivo.txt"}


class UsageError(Exception):
    """A command that cannot be carried out as given."""


@dataclass(frozen=True)
class Job:
    """A recording and the files that are to be made of it, by format (``qda`` or ``qda:stamps=f4``)."""

    recording: Path
    outputs: dict[str, Path]

    @property
    def name(self) -> str:
        return self.recording.name

    def is_finished(self) -> bool:
        """Whether all results are there, and not older than the recording."""
        try:
            made = min(path.stat().st_mtime for path in self.outputs.values())
            return made >= self.recording.stat().st_mtime
        except OSError:
            return False


def plan_jobs(recordings: Iterable[Path], formats: Sequence[str], to: Path | None) -> list[Job]:
    """Choose the names of results: ``talk.srt`` for ``talk.mp3``.

    If ``talk.wav`` is there, too, they become ``talk.mp3.srt`` and ``talk.wav.srt``. ``to``: the folder of all results,
    by default that of each recording. Raises UsageError if two results would still have the same name.
    """
    paths = list({path.resolve(): path for path in recordings}.values())
    stems = Counter((to or path.parent, path.stem.casefold()) for path in paths)
    jobs = []
    for path in paths:
        folder = to or path.parent
        base = path.stem if stems[folder, path.stem.casefold()] == 1 else path.name
        jobs.append(Job(path, {name: folder / f"{base}.{choose_extension(name)}" for name in formats}))
    _require_own_names(jobs)
    return jobs


def choose_extension(text: str) -> str:
    """Return the extension of a format's files."""
    name = text.partition(":")[0]
    return EXTENSIONS.get(name, name)


def make_query(text: str) -> dict[str, str]:
    """Return the query for a file: ``textgrid:words=false`` is a format and what is chosen about it."""
    name, *choices = text.split(":")
    return {"format": name} | dict(each.split("=", 1) for each in choices)


def _require_own_names(jobs: Sequence[Job]) -> None:
    owners: dict[Path, Path] = {job.recording: job.recording for job in jobs}
    for job in jobs:
        for output in job.outputs.values():
            other = owners.setdefault(output, job.recording)
            if output == other:
                raise UsageError(f"{output} is a recording; choose another folder with --to.")
            if other != job.recording:
                raise UsageError(f"{other} and {job.recording} would both be written to {output}; use two commands.")


def write_file(path: Path, content: bytes) -> None:
    """Write a file as a whole: until it is complete, it has another name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name[:100]}.", suffix=".part", delete=False)
    try:
        with new:
            new.write(content)
            new.flush()
            os.fsync(new.fileno())
        mask = os.umask(0)
        os.umask(mask)
        Path(new.name).chmod(0o666 & ~mask)  # temporary files are for their owner only
        Path(new.name).replace(path)
    except BaseException:
        Path(new.name).unlink(missing_ok=True)
        raise
