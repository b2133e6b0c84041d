"""Run the pipelines of the service in this process, for the evaluation."""

import json
import sys
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from voices import RATE

MINI = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(MINI.parents[1]))  # the service's own packages

from app.core import settings
from app.core.db import connection
from app.factory import create_app
from app.schemas.transcription import TranscriptionParameters, server_defaults
from workers.device import slots
from workers.device.environment import prepare_environment
from workers.device.protocol import Job
from workers.device.run import Run
from workers.models.cache import WarmModels

SLOT = slots.slots(settings.Workers(device="cpu", cpu_threads=1))[0]
prepare_environment(SLOT)


@dataclass
class Heard:
    """The result of the service for a recording."""

    segments: list[dict[str, Any]]
    language: str | None
    warnings: list[str]

    @property
    def text(self) -> str:
        return " ".join(segment["text"] for segment in self.segments)


@cache
def _service(models: Path) -> tuple[settings.Settings, WarmModels, Any]:
    home = Path(tempfile.mkdtemp(prefix="mini-models-"))
    chosen = settings.load(
        {"CONFIG": str(models / "config.yaml"), "CACHE_DIR": str(home), "DB_URL": f"sqlite:///{home / 'records.db'}"},
        root=home,
    )
    application = create_app(chosen)
    connection.database.close()
    return chosen, WarmModels(SLOT, chosen), application


def transcribe(recording: np.ndarray | Path, models: Path = MINI, **asked: Any) -> Heard:
    """Transcribe float32 samples at 16 kHz, or a file, with the parameters of POST /transcription."""
    from workers.pipelines import transcription

    chosen, warm, application = _service(models)
    with application.app_context():
        params = {**TranscriptionParameters().load({**server_defaults(chosen), **asked}), "max_speech_duration_s": None}
    with tempfile.TemporaryDirectory() as folder:
        path = recording if isinstance(recording, Path) else Path(folder) / "recording.wav"
        if not isinstance(recording, Path):
            soundfile.write(path, recording, RATE, subtype="FLOAT")
        job = Job("evaluation", 1, "transcription", params, [], str(path))
        run = Run(job, SLOT, chosen, warm, lambda progress: None)
        segments = json.loads(transcription.run(run)[1])
    return Heard(segments, run.facts.get("language"), run.warnings)
