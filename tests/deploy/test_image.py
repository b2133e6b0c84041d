"""The service runs with the files that the Dockerfile copies; no container engine is needed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from app.core import settings
from tests.deploy.conftest import HOME, Dockerfile, tool
from tests.service import ROOT, free_port, until


def run_in(image: Path, tmp_path: Path, port: int) -> dict[str, str]:
    """The environment of a container, with its folders moved into ``tmp_path``."""
    return {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "CONFIG": "models/mini/config.yaml",
        "CACHE_DIR": str(tmp_path / "cache"),
        "DB_URL": f"sqlite:///{tmp_path / 'records.db'}",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "PYTHONPATH": "",
    }


def in_json(text: str) -> list[str]:
    """The command of a CMD or HEALTHCHECK instruction in its JSON form."""
    words: list[str] = json.loads(text[text.index("[") :])
    return words


def test_hadolint_finds_nothing() -> None:
    done = subprocess.run(
        [tool("hadolint", "requirements-dev.txt"), str(ROOT / "Dockerfile")], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")


def test_every_source_exists_and_reaches_the_build(dockerfile: Dockerfile) -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert "*" in ignored and dockerfile.copied
    for source, _ in dockerfile.copied:
        assert (ROOT / source).exists(), source
        assert any(line.startswith(f"!{source}") for line in ignored), f"{source} is ignored"


def test_nothing_private_reaches_the_build() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().split() if line.startswith("!")}
    assert allowed and not {name for name in allowed if re.search(r"^\.|\.db|cache|tests", name)}


def test_the_image_serves_and_its_health_check_works(dockerfile: Dockerfile, image: Path, tmp_path: Path) -> None:
    environment = run_in(image, tmp_path, port := free_port())
    (command,), (probe,) = dockerfile.all("CMD"), dockerfile.all("HEALTHCHECK")
    check = [sys.executable, *in_json(probe)[1:]]
    assert subprocess.run(check, env=environment, capture_output=True).returncode != 0
    with (tmp_path / "log").open("w") as log:
        web = subprocess.Popen(in_json(command), cwd=image, env=environment, stdout=log, stderr=log)
        try:
            until(lambda: subprocess.run(check, env=environment, capture_output=True).returncode == 0, "healthy")
            assert requests.get(f"http://127.0.0.1:{port}/models", timeout=30).json()["model_size"]["choices"]
            assert requests.get(f"http://127.0.0.1:{port}/docs", timeout=30).ok
        finally:
            web.terminate()
            web.wait(30)


def test_the_worker_can_start_in_the_image(image: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workers.models", "check"]
    done = subprocess.run(
        command, cwd=image, env=run_in(image, tmp_path, 8000), capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert str(image / "models" / "mini" / "whisper") in done.stdout


def test_environment_and_folders_match_the_settings(dockerfile: Dockerfile, image: Path) -> None:
    loaded = settings.load(dockerfile.environment, root=image)
    assert (loaded.server.host, loaded.server.port) == ("0.0.0.0", int(dockerfile.all("EXPOSE")[0]))
    assert dockerfile.all("WORKDIR") == [HOME]
    (volumes,) = (json.loads(text) for text in dockerfile.all("VOLUME"))
    inside = [str(path).replace(str(image), HOME) for path in (loaded.models.path, loaded.cache.path)]
    assert [*inside, str(Path(loaded.db_url.removeprefix("sqlite:///")).parent)] == volumes


def test_image_does_not_run_as_root(dockerfile: Dockerfile) -> None:
    user = dockerfile.all("USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    uid, gid = user.split(":")
    made = " ".join(dockerfile.all("RUN"))
    assert f"--uid {uid}" in made and f"--gid {gid}" in made


@pytest.mark.parametrize(("variant", "index"), [("cpu", "/whl/cpu "), ("cuda", ""), ("tpu", None)])
def test_the_variant_selects_the_package_index_of_torch(
    dockerfile: Dockerfile, tmp_path: Path, variant: str, index: str | None
) -> None:
    """Run the RUN step with a stub python that prints its arguments."""
    (step,) = (text for text in dockerfile.all("RUN") if "install.py" in text)
    script = re.sub(r"^--mount=\S+", "", step).replace("/opt/venv", str(tmp_path / "venv"))
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    for program in (tmp_path / "python", tmp_path / "venv" / "bin" / "python"):
        program.write_text('#!/bin/sh\necho "$*"\n')
        program.chmod(0o755)
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "VARIANT": variant}
    done = subprocess.run(["/bin/sh", "-c", script], env=environment, capture_output=True, text=True)
    if index is None:
        assert done.returncode == 1 and "VARIANT is cpu or cuda, not tpu" in done.stderr and not done.stdout
    else:
        assert re.search(rf"^install.py .*{index}requirements.lock$", done.stdout, re.MULTILINE), done.stdout
        assert (index != "") == ("--torch-index" in done.stdout)
