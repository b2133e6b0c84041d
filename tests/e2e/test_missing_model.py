"""A missing model that cannot be downloaded is logged and fails its tasks only."""

from __future__ import annotations

from pathlib import Path

from tests.service import MINI, running

CONFIG = f"""
models: {{path: models}}
whisper:
  model_size: large-v3
  compute_type: int8
  models: {{mini: {MINI / "whisper"}}}
transcription: {{chunk_length: 4}}
"""


def test_missing_model_fails_with_advice_and_others_keep_serving(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    with running(tmp_path, config=config) as service:
        failed = service.finished(service.submit())
        assert "not preloaded: Whisper model 'large-v3'" in service.log("worker.log")
        assert (failed["status"], failed["error_code"]) == ("FAILED", "model_not_available")
        assert "'large-v3'" in failed["error"] and str(tmp_path / "models" / "large-v3") in failed["error"]
        done = service.finished(service.submit(model_size="mini"))
        assert done["status"] == "COMPLETED" and done["result"]
        # whisperx's English aligner is missing, too: the times are Whisper's own
        assert all(segment["words"] for segment in done["result"])
        assert any("No alignment model for language 'en'" in warning for warning in done["warnings"])
        assert service.log("worker.log").count("died") == 0
