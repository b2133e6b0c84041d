"""Bad recordings fail with the same error at every endpoint; damaged ones give a partial result and a warning."""

from __future__ import annotations

import gzip
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from tests import recordings
from tests.app.posting import ENDPOINTS
from tests.service import SAMPLE, Service

SOUND = recordings.speech(SAMPLE)[: 5 * recordings.RATE]
PLAYLISTS = {
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{target}\n#EXT-X-ENDLIST\n",
    "hls of a server": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:1/a.ts\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{target}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
}


def zipped(content: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("a.wav", content)
    return made.getvalue()


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def mp4(folder: Path, **options: str) -> bytes:
    return recordings.encoded(folder / "a.mp4", SOUND, "aac", "mp4", options=options).read_bytes()


REFUSED: dict[str, tuple[Callable[[Path], bytes], set[str]]] = {
    **{
        name: (lambda folder, text=text: text.format(target=SAMPLE).encode(), {"unsupported_media", "invalid_media"})
        for name, text in PLAYLISTS.items()
    },
    "zip": (lambda folder: zipped(SAMPLE.read_bytes()), {"invalid_media"}),
    "gzip": (lambda folder: gzip.compress(SAMPLE.read_bytes()), {"invalid_media"}),
    "pdf": (lambda folder: b"%PDF-1.7\n" + bytes(range(256)) * 20 + b"\n%%EOF", {"invalid_media"}),
    "noise": (lambda folder: np.random.default_rng(1).bytes(50_000), {"invalid_media"}),
    "text": (lambda folder: b"this is no recording " * 100, {"invalid_media", "unsupported_media"}),
    "mp4 without moov": (lambda folder: cut(mp4(folder)), {"invalid_media"}),
    "1 Hz": (
        lambda folder: recordings.wav(folder / "a.wav", recordings.silence(0.2), rate=1).read_bytes(),
        {"too_long", "invalid_media"},
    ),
    "1000 channels": (
        lambda folder: recordings.wav(folder / "a.wav", recordings.silence(0.01), channels=1000).read_bytes(),
        {"invalid_media"},
    ),
    "video without sound": (lambda folder: recordings.video(folder / "a.mp4", None).read_bytes(), {"no_audio"}),
}


LANGUAGE = "/detect-language"  # it decodes only the beginning, so the length stays unknown


@pytest.fixture(params=ENDPOINTS)
def path(request: pytest.FixtureRequest) -> str:
    value: str = request.param
    return value


def ended(service: Service, path: str, recording: bytes) -> dict[str, Any]:
    answer = service.post(path, recording)
    assert answer.status_code == 201, answer.text
    return service.finished(answer.json()["identifier"])


@pytest.mark.parametrize("medium", REFUSED)
def test_bad_media_fails_with_its_error_code(service: Service, path: str, medium: str, tmp_path: Path) -> None:
    make, codes = REFUSED[medium]
    task = ended(service, path, make(tmp_path))
    assert task["status"] == "FAILED" and task["error_code"] in codes, task
    assert task["result"] is None and task["error"].endswith(".") and str(SAMPLE) not in task["error"]
    answer = requests.get(f"{service.url}/task/{task['identifier']}/result", timeout=30)
    assert answer.status_code == 409


def test_empty_upload_is_refused(service: Service, path: str) -> None:
    answer = service.post(path, b"")
    assert answer.status_code == 422 and set(answer.json()["errors"]) == {"file"}


@pytest.mark.parametrize("container", ["mp4", "wav"])
def test_cut_off_recording_gives_a_partial_result_and_a_warning(
    service: Service, path: str, container: str, tmp_path: Path
) -> None:
    whole = recordings.wav(tmp_path / "a.wav", SOUND).read_bytes()
    task = ended(service, path, cut(mp4(tmp_path, movflags="faststart") if container == "mp4" else whole))
    assert task["status"] == "COMPLETED" and task["result"]
    assert path == LANGUAGE or 1.0 < task["audio_duration"] < 4.0
    assert [warning.split(":")[0] for warning in task["warnings"]] == ["truncated_media"]


def test_video_without_a_file_name_is_accepted(service: Service, path: str, tmp_path: Path) -> None:
    task = ended(service, path, recordings.video(tmp_path / "a.mp4", SOUND).read_bytes())
    assert task["status"] == "COMPLETED" and task["result"] and task["warnings"] == []


def test_nan_samples_give_finite_results(service: Service, path: str, tmp_path: Path) -> None:
    sound = SOUND.astype(np.float32) / 32768
    sound[::1000], sound[1::1000], sound[2::1000] = np.nan, np.inf, -np.inf
    answer = service.post(path, recordings.float_wav(tmp_path / "a.wav", sound).read_bytes())
    task = service.finished(answer.json()["identifier"])
    assert task["status"] == "COMPLETED", task
    text = requests.get(f"{service.url}/task/{task['identifier']}", timeout=30).text
    assert not any(word in text for word in ("NaN", "Infinity"))
    assert path == LANGUAGE or math.isfinite(task["audio_duration"])
