"""Separate vocals and background into files: separate."""

from __future__ import annotations

from app.core.catalog.catalog import SEPARATE
from app.core.params import BgmSeparationParams
from workers.device.run import Run
from workers.stages import separate
from workers.stages.segments import to_json

MODEL_KINDS: tuple[str, ...] = (SEPARATE,)


def run(run: Run[BgmSeparationParams]) -> tuple[str, str]:
    """Return "filepath" and the files as JSON.

    Raises SpeechError.
    """
    run.enter("separate", until=1.0)
    files = separate.separate_to_files(run)
    hashes = {file["stem"]: file["sha256"] for file in files}
    result = {
        "instrumental_hash": hashes[separate.INSTRUMENTAL],
        "vocal_hash": hashes[separate.VOCALS],
        "files": files,
    }
    return "filepath", to_json(result)
