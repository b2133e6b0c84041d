"""The compose files are valid, refer to existing names, and pass only variables that the service reads."""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
from typing import Any

import pytest

from app.core.settings import Server, Workers, load
from tests.deploy.conftest import HOME, RAY_READ, Dockerfile, compose, find_ray_options, tool
from tests.service import ROOT

FILES = ["docker-compose.yaml", "docker-compose.gpu.yaml", "docker-compose.cluster.yaml", "docker-compose.ray.yaml"]
READ = {
    "CONFIG",
    "HOST",
    "PORT",
    "CACHE_DIR",
    "DB_URL",
    "MODEL",
    "HF_TOKEN",
    "WEBHOOK_SECRET",
    "HF_HUB_OFFLINE",
    "PIP_INDEX_URL",
    "STORAGE_URL",
    "STORAGE_ENDPOINT",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_REGION",
    "ENGINE",
}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    found: dict[str, Any] = compose(FILES[0])["services"]
    return found


@pytest.mark.parametrize("name", FILES)
def test_compose_file_follows_the_specification(name: str) -> None:
    command = [tool("check-jsonschema", "requirements-dev.txt"), "--builtin-schema", "vendor.compose-spec"]
    done = subprocess.run([*command, str(ROOT / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_web_and_worker_run_one_image_on_the_same_folders(services: dict[str, Any], dockerfile: Dockerfile) -> None:
    web, worker = services["web"], services["worker"]
    assert web["image"] == worker["image"] and web["volumes"] == worker["volumes"]
    targets = [volume.partition(":")[2] for volume in web["volumes"]]
    assert targets == json.loads(dockerfile.all("VOLUME")[0])
    assert {volume.partition(":")[0] for volume in web["volumes"]} < set(compose(FILES[0])["volumes"])
    assert all(target.startswith(HOME) for target in targets)


def test_commands_name_real_modules(services: dict[str, Any]) -> None:
    commands = [service["command"] for service in services.values() if "command" in service]
    assert commands == [["python", "-m", "workers"]]
    assert importlib.util.find_spec("workers.__main__")


def test_the_service_reads_every_variable_it_is_passed(services: dict[str, Any]) -> None:
    handed = {name for service in ("web", "worker") for name in services[service]["environment"]}
    assert {"CONFIG", "DB_URL", "HF_TOKEN"} <= handed <= READ
    assert services["web"]["environment"].items() <= services["worker"]["environment"].items(), "one database for both"
    assert "HF_TOKEN" not in services["web"]["environment"], "the web process downloads no models"


def test_compose_stops_wait_longer_than_the_service_needs(services: dict[str, Any]) -> None:
    assert int(services["web"]["stop_grace_period"].removesuffix("s")) > Server().graceful_timeout
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > Workers().drain_timeout


def test_the_published_port_is_the_one_the_image_serves(services: dict[str, Any], dockerfile: Dockerfile) -> None:
    (port,) = services["web"]["ports"]
    assert port.endswith(f":{dockerfile.all('EXPOSE')[0]}")
    assert "127.0.0.1:" in port, "by default only this machine can reach it"


def test_the_default_database_is_in_its_volume_and_postgres_has_the_documented_name(services: dict[str, Any]) -> None:
    default = re.search(r"\$\{DB_URL:-(.*)\}", services["web"]["environment"]["DB_URL"])
    assert default and default[1].startswith(f"sqlite:///{HOME}/database/")
    documented = re.search(r"DB_URL=postgresql://(\w+):\$POSTGRES_PASSWORD@(\w+)/(\w+)", (ROOT / FILES[0]).read_text())
    database = services["postgres"]
    environment = database["environment"]
    assert documented and documented.groups() == (environment["POSTGRES_USER"], "postgres", environment["POSTGRES_DB"])
    assert database["profiles"] == ["postgres"], "not started when SQLite is used"


def test_only_the_worker_gets_gpus_and_it_runs_the_cuda_image(services: dict[str, Any], dockerfile: Dockerfile) -> None:
    more = compose(FILES[1])["services"]
    assert set(more) == {"web", "worker"} <= set(services)
    assert more["web"]["image"] == more["worker"]["image"] != services["web"]["image"]
    (reserved,) = more["worker"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved["driver"] == "nvidia" and reserved["capabilities"] == ["gpu"]
    assert "deploy" not in more["web"]
    steps = " ".join(dockerfile.all("RUN"))
    for service in more.values():
        assert f"{service['build']['args']['VARIANT']})" in steps, "the Dockerfile has this variant"


def test_several_machines_share_a_bucket_and_a_database(services: dict[str, Any]) -> None:
    more = compose(FILES[2])["services"]
    assert set(more) == {"web", "worker", "postgres", "bucket", "make-bucket"}
    web, worker = more["web"], more["worker"]
    assert web["image"] == worker["image"] != services["web"]["image"]
    assert web["build"] == worker["build"] and (ROOT / web["build"]["args"]["LOCK"]).exists()
    assert web["environment"] == worker["environment"] and set(web["environment"]) <= READ
    assert {"STORAGE_URL", "STORAGE_ENDPOINT", "AWS_SECRET_ACCESS_KEY", "DB_URL"} <= set(web["environment"])
    assert "postgresql://" in web["environment"]["DB_URL"]


def test_store_and_database_run_on_one_machine_and_are_not_public() -> None:
    more = compose(FILES[2])["services"]
    for name in ("postgres", "bucket", "make-bucket"):
        assert more[name]["profiles"] == ["cluster"]
    for name in ("postgres", "bucket"):
        (port,) = more[name]["ports"]
        assert port.startswith("${PRIVATE_ADDRESS:-127.0.0.1}:")
    settings = load({"STORAGE_URL": "s3://recordings", "STORAGE_ENDPOINT": "http://bucket:8333"}, root=ROOT)
    shown = more["web"]["environment"]
    assert settings.storage.url in shown["STORAGE_URL"] and settings.storage.endpoint in shown["STORAGE_ENDPOINT"]
    assert "-name recordings" in str(more["make-bucket"]["command"])


@pytest.fixture(scope="module")
def nodes() -> dict[str, Any]:
    """What the containers of Ray's nodes have in docker-compose.ray.yaml; the worker is one, too."""
    found: dict[str, Any] = compose(FILES[3])["services"]
    assert set(found) == {"worker", "ray-head", "ray-node", "ray-cpu-node"}
    return found


def test_nodes_of_ray_run_the_image_of_the_service(nodes: dict[str, Any]) -> None:
    web = compose(FILES[2])["services"]["web"]
    for name, node in nodes.items():
        assert node.get("image", web["image"]) == web["image"]
        assert node["build"]["args"]["LOCK"] == web["build"]["args"]["LOCK"], name
        assert node["network_mode"] == "host" and node["shm_size"] == "2g", name


def test_nodes_of_ray_share_a_token_that_must_be_given(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        environment = node["environment"]
        assert (environment["RAY_AUTH_MODE"], environment["RAY_AUTH_TOKEN"]) == (
            "token",
            "${RAY_AUTH_TOKEN:?is needed}",
        )


def test_nodes_of_ray_are_passed_only_variables_that_are_read(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        assert set(node["environment"]) <= READ | RAY_READ
    assert load({"ENGINE": nodes["worker"]["environment"]["ENGINE"]}, root=ROOT).workers.engine == "ray"
    secrets = {"DB_URL", "AWS_SECRET_ACCESS_KEY", "WEBHOOK_SECRET", "HF_TOKEN"}
    for name in ("ray-head", "ray-node", "ray-cpu-node"):
        assert not secrets & set(nodes[name]["environment"]), "the supervisor sends what is needed"


def test_the_supervisor_uses_the_published_database_and_bucket(nodes: dict[str, Any]) -> None:
    """On the network of its machine, it cannot reach them by the names of their containers."""
    shared = compose(FILES[2])["services"]
    environment = nodes["worker"]["environment"]
    for variable, name in (("DB_URL", "postgres"), ("STORAGE_ENDPOINT", "bucket")):
        (published,) = shared[name]["ports"]
        assert published.startswith("${PRIVATE_ADDRESS:-")
        there = shared["web"]["environment"][variable].replace("${POSTGRES_PASSWORD:?is needed}", "*")
        here = environment[variable].replace("${POSTGRES_PASSWORD:?is needed}", "*")
        assert here == re.sub(rf"(@|//){name}\b", r"\1${PRIVATE_ADDRESS:?is needed}", there)


def test_commands_of_ray_have_options_that_exist(nodes: dict[str, Any]) -> None:
    for node in nodes.values():
        command = node["command"]
        line = command[2].partition(" && ")[0].split() if command[0] == "sh" else command
        assert line[:2] == ["ray", "start"]
        assert {word.partition("=")[0] for word in line[2:]} <= find_ray_options()
    assert nodes["worker"]["command"][2].endswith(" && exec " + " ".join(["python", "-m", "workers"]))


def test_only_the_nodes_with_gpus_reserve_them(nodes: dict[str, Any]) -> None:
    (reserved,) = nodes["ray-node"]["deploy"]["resources"]["reservations"]["devices"]
    assert reserved == compose(FILES[1])["services"]["worker"]["deploy"]["resources"]["reservations"]["devices"][0]
    assert [name for name, node in nodes.items() if "deploy" in node] == ["ray-node"]
    assert '--resources={"speech_slot": 1}' in nodes["ray-cpu-node"]["command"]


def test_the_state_of_the_head_of_ray_is_in_a_volume(nodes: dict[str, Any], dockerfile: Dockerfile) -> None:
    head = nodes["ray-head"]
    path = head["environment"]["RAY_gcs_storage_path"]
    targets = [volume.partition(":")[2] for volume in head["volumes"]]
    assert any(path.startswith(f"{target}/") for target in targets)
    assert set(targets) <= set(json.loads(dockerfile.all("VOLUME")[0])), "the image has these folders, for its user"
