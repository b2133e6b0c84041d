"""A recording to its vocals and what is behind them, as files: separate."""

from __future__ import annotations

from workers.device.run import Run
from workers.stages import separate
from workers.stages.segments import to_json

MODELS = ("separate",)


def run(work: Run) -> tuple[str, str]:
    """The result type and, as JSON text, the files with their SHA-256. Raises SpeechError."""
    work.enter("separate", until=1.0)
    files = separate.to_files(work)
    hashes = {file["stem"]: file["sha256"] for file in files}
    result = {
        "instrumental_hash": hashes[separate.INSTRUMENTAL],
        "vocal_hash": hashes[separate.VOCALS],
        "files": files,
    }
    return "filepath", to_json(result)
