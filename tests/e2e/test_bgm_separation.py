"""Music separation on the real processes: downloading stems, and transcribing the vocals."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path

import jiwer
import numpy as np
import pytest
import requests

from tests import mixtures, recordings
from tests.service import SAMPLE, Service, until

SECONDS = 16.0


@pytest.fixture(scope="module")
def mixture(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, mixtures.Sound, mixtures.Sound]:
    vocals, music = mixtures.parts(SECONDS, snr=3.0)
    path = tmp_path_factory.mktemp("mixture") / "mixture.wav"
    return mixtures.stereo_wav(path, vocals + music), vocals, music


def separate(service: Service, recording: Path, **params: str) -> str:
    answer = service.post("/bgm-separation", recording, params=params)
    assert answer.status_code == 201, answer.text
    identifier: str = answer.json()["identifier"]
    return identifier


def test_stems_download_as_zip_and_one_by_one(
    service: Service, mixture: tuple[Path, mixtures.Sound, mixtures.Sound], tmp_path: Path
) -> None:
    recording, vocals, music = mixture
    answer = service.post("/bgm-separation/", recording)
    assert answer.json()["message"] == "Bgm separation task has queued"
    done = service.finished(answer.json()["identifier"])
    assert (done["status"], done["task_type"], done["result_type"]) == ("COMPLETED", "bgm-separation", "filepath")
    assert (done["progress"], done["warnings"]) == (1.0, [])
    assert done["audio_duration"] == pytest.approx(SECONDS, abs=0.01)
    content = requests.get(f"{service.url}/task/file/{done['identifier']}", timeout=60).content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert sorted(archive.namelist()) == ["instrumental.wav", "vocals.wav"]
        stems = {name: archive.read(name) for name in archive.namelist()}
    hashes = {file["stem"]: file["sha256"] for file in done["result"]["files"]}
    assert (done["result"]["vocal_hash"], done["result"]["instrumental_hash"]) == (
        hashes["vocals"],
        hashes["instrumental"],
    )
    for file in done["result"]["files"]:
        alone = requests.get(f"{service.url}/task/{done['identifier']}/file/{file['name']}", timeout=60).content
        assert alone == stems[file["name"]]
        assert (len(alone), hashlib.sha256(alone).hexdigest()) == (file["size"], file["sha256"])
    (tmp_path / "vocals.wav").write_bytes(stems["vocals.wav"])
    heard, rate = mixtures.heard(tmp_path / "vocals.wav")
    assert (rate, heard.shape) == (mixtures.RATE, vocals.shape)
    assert mixtures.si_sdr(heard, vocals) > mixtures.si_sdr(vocals + music, vocals) + 5


def test_range_of_a_stem(service: Service, tmp_path: Path) -> None:
    recording = recordings.wav(tmp_path / "a.wav", recordings.speech(SAMPLE)[: 3 * recordings.RATE])
    done = service.finished(separate(service, recording, stem_format="flac", uvr_model_size="UVR-MDX-NET-Inst_HQ_4"))
    assert [warning.split()[0] for warning in done["warnings"]] == ["uvr_model_size"]
    assert done["task_params"]["uvr_model_size"] == "mini"
    address = f"{service.url}/task/{done['identifier']}/file/vocals.flac"
    whole = requests.get(address, timeout=60)
    assert whole.headers["Content-Type"] in ("audio/flac", "audio/x-flac") and whole.content[:4] == b"fLaC"
    part = requests.get(address, headers={"Range": "bytes=4-103"}, timeout=60)
    assert (part.status_code, part.content) == (206, whole.content[4:104])
    assert part.headers["Content-Range"] == f"bytes 4-103/{len(whole.content)}"


def test_vocals_are_transcribed_and_stems_kept(
    service: Service, mixture: tuple[Path, mixtures.Sound, mixtures.Sound]
) -> None:
    done = service.finished(service.submit(mixture[0], is_separate_bgm="true", save_file="true"))
    assert (done["status"], done["result_type"], done["warnings"]) == ("COMPLETED", "json", [])
    reference = json.loads(SAMPLE.with_suffix(".json").read_text())["text"]
    said = " ".join(segment["text"] for segment in done["result"])
    assert jiwer.wer(reference, said) <= 0.6
    names = zipfile.ZipFile(
        io.BytesIO(requests.get(f"{service.url}/task/file/{done['identifier']}", timeout=60).content)
    ).namelist()
    assert sorted(names) == ["instrumental.wav", "vocals.wav"]


def test_stages_are_reported(service: Service, mixture: tuple[Path, mixtures.Sound, mixtures.Sound]) -> None:
    identifier = service.submit(mixture[0], is_separate_bgm="true")
    seen = set()
    until(lambda: seen.add((task := service.task(identifier))["stage"]) or task["finished_at"], "ended", every=0.02)
    assert {"separate", "transcribe"} <= seen
    assert requests.get(f"{service.url}/task/file/{identifier}", timeout=30).status_code == 404


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("text.wav", {"invalid_media"}),
        ("mute.mp4", {"no_audio"}),
        ("list.m3u8", {"unsupported_media", "invalid_media"}),
    ],
)
def test_bad_media_leaves_no_stems(service: Service, tmp_path: Path, name: str, codes: set[str]) -> None:
    path = tmp_path / name
    if name == "mute.mp4":
        recordings.video(path, None)
    else:
        path.write_text("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n" if name == "list.m3u8" else "This is text.")
    done = service.finished(separate(service, path))
    assert (done["status"], done["result"]) == ("FAILED", None)
    assert done["error_code"] in codes
    assert [file.name for file in (service.cache / done["identifier"]).iterdir()] == ["source"]
    assert requests.get(f"{service.url}/task/file/{done['identifier']}", timeout=30).status_code == 404


def test_refused_separations_leave_nothing_behind(service: Service) -> None:
    before = sorted(service.cache.iterdir())
    assert service.post("/bgm-separation", recording=b"").status_code == 422
    for query in ({"uvr_model_size": "evil/repo"}, {"segment_size": "0"}, {"stem_format": "exe"}, {"beam_size": "5"}):
        assert service.post("/bgm-separation", params=query).status_code == 422
    assert sorted(service.cache.iterdir()) == before


def test_crash_while_writing_a_stem_leaves_no_partial_stem(own_service: Service, tmp_path: Path) -> None:
    sound = recordings.speech(SAMPLE)
    long = recordings.wav(tmp_path / "long.wav", np.tile(sound, 20))
    identifier = separate(own_service, long)
    folder = own_service.cache / identifier
    until(lambda: list(folder.glob("stems-*.partial/*.wav")), "a stem is being written")
    for process in own_service.device_processes():
        process.kill()
    done = own_service.finished(identifier)
    assert (done["status"], done["attempt"]) == ("COMPLETED", 2)
    assert sorted(file.name for file in folder.iterdir()) == ["listening", "source", "stems-2"], (
        "only the stems of the run that completed"
    )
