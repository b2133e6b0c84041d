"""The manifests for Kubernetes agree with the image, the settings and the lock file. No cluster is needed."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from flask import Flask

from app.core.settings import Server, Workers, load
from tests.deploy.conftest import HOME, RAY_READ, Dockerfile, find_ray_options
from tests.deploy.test_compose import READ
from tests.service import ROOT

FOLDER = ROOT / "deploy/kubernetes"


@pytest.fixture(scope="module")
def manifests() -> dict[tuple[str, str], Any]:
    """All objects by kind and name."""
    found = [each for file in sorted(FOLDER.glob("*.yaml")) for each in yaml.safe_load_all(file.read_text())]
    named = {(each["kind"], each["metadata"]["name"]): each for each in found}
    assert len(named) == len(found)
    return named


@pytest.fixture(scope="module")
def pods(manifests: dict[tuple[str, str], Any]) -> dict[str, Any]:
    """The specification of each kind of pod, by the name of its container."""
    cluster = manifests["RayCluster", "speech"]["spec"]
    templates = [manifests["Deployment", name]["spec"]["template"] for name in ("speech-web", "speech-supervisor")]
    templates += [group["template"] for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"])]
    return {container_of(template["spec"])["name"]: template["spec"] for template in templates}


def container_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["containers"]
    assert isinstance(container, dict)
    return container


def variables_of(container: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container.get("env", [])}


def secrets_of(value: Any) -> Iterator[tuple[str, str | None]]:
    """(name, key) of each secret that is referred to; the key is None for all its keys."""
    for each in value.get("envFrom", []):
        yield each["secretRef"]["name"], None
    for each in value.get("env", []):
        if "valueFrom" in each:
            reference = each["valueFrom"]["secretKeyRef"]
            yield reference["name"], reference["key"]


def test_all_pods_run_one_image_that_has_ray(pods: dict[str, Any]) -> None:
    assert list(pods) == ["web", "supervisor", "ray-head", "ray-worker"]
    (image,) = {container_of(pod)["image"] for pod in pods.values()}
    assert image.endswith("-cluster"), "the suffix of the image with the packages for several machines"


def test_ray_is_that_of_the_lock_file(manifests: dict[tuple[str, str], Any]) -> None:
    (locked,) = re.findall(r"^ray==(\S+)", (ROOT / "requirements-cluster.lock").read_text(), re.MULTILINE)
    assert manifests["RayCluster", "speech"]["spec"]["rayVersion"] == locked


def test_pods_are_passed_only_variables_that_are_read(pods: dict[str, Any]) -> None:
    for pod in pods.values():
        assert set(variables_of(container_of(pod))) <= READ | RAY_READ
    engine = variables_of(container_of(pods["supervisor"]))["ENGINE"]
    assert load({"ENGINE": engine}, root=ROOT).workers.engine == "ray"


def test_only_web_and_supervisor_get_the_keys_of_the_service(pods: dict[str, Any]) -> None:
    found = {name: set(secrets_of(container_of(pod))) for name, pod in pods.items()}
    token = ("speech-ray", "auth_token")
    assert found["web"] == {("speech", None)} and found["supervisor"] == {("speech", None), token}
    assert found["ray-head"] == found["ray-worker"] == {token}
    page = (ROOT / "docs/cluster.md").read_text()
    assert "create secret generic speech " in page and "create secret generic speech-ray " in page
    given = set(re.findall(r"--from-literal=(\w+)=", page))
    assert "auth_token" in given and given - {"auth_token"} <= READ


def test_web_and_supervisor_have_the_same_configuration(pods: dict[str, Any]) -> None:
    assert "kubectl create configmap speech --from-file=config.yaml" in (ROOT / "docs/cluster.md").read_text()
    for name in ("web", "supervisor"):
        (volume,) = [each for each in pods[name]["volumes"] if each["name"] == "config"]
        (mount,) = [each for each in container_of(pods[name])["volumeMounts"] if each["name"] == "config"]
        assert volume["configMap"] == {"name": "speech"}
        assert (mount["mountPath"], mount["subPath"]) == (f"{HOME}/config.yaml", "config.yaml"), "beside the code"


def test_probes_ask_paths_that_exist(pods: dict[str, Any], manifests: dict[tuple[str, str], Any], web: Flask) -> None:
    container = container_of(pods["web"])
    asked = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe")]
    assert {each["path"] for each in asked} <= {rule.rule for rule in web.url_map.iter_rules()}
    (port,) = container["ports"]
    assert {each["port"] for each in asked} == {port["name"]}
    (served,) = manifests["Service", "speech"]["spec"]["ports"]
    assert served["targetPort"] == port["name"]


def test_the_port_is_the_one_the_image_serves(pods: dict[str, Any], dockerfile: Dockerfile) -> None:
    assert [str(port["containerPort"]) for port in container_of(pods["web"])["ports"]] == dockerfile.all("EXPOSE")


def test_selectors_find_their_pods(manifests: dict[tuple[str, str], Any]) -> None:
    for (kind, _), each in manifests.items():
        if kind == "Deployment":
            assert each["spec"]["selector"]["matchLabels"] == each["spec"]["template"]["metadata"]["labels"]
    labels = manifests["Deployment", "speech-web"]["spec"]["template"]["metadata"]["labels"]
    assert manifests["Service", "speech"]["spec"]["selector"] == labels


def test_volumes_are_mounted_where_the_image_has_folders(
    pods: dict[str, Any], manifests: dict[tuple[str, str], Any], dockerfile: Dockerfile
) -> None:
    folders = {*json.loads(dockerfile.all("VOLUME")[0]), "/dev/shm", f"{HOME}/config.yaml"}
    for pod in pods.values():
        mounts = container_of(pod)["volumeMounts"]
        assert {mount["mountPath"] for mount in mounts} <= folders
        assert {mount["name"] for mount in mounts} == {volume["name"] for volume in pod["volumes"]}
        assert pod["securityContext"]["fsGroup"] == int(dockerfile.all("USER")[-1].partition(":")[2])
        claims = [each["persistentVolumeClaim"] for each in pod["volumes"] if "persistentVolumeClaim" in each]
        assert {("PersistentVolumeClaim", claim["claimName"]) for claim in claims} <= set(manifests)
    state = variables_of(container_of(pods["ray-head"]))["RAY_gcs_storage_path"]
    assert state.startswith(f"{HOME}/database/")


def test_pods_get_longer_to_stop_than_the_service_needs(pods: dict[str, Any]) -> None:
    assert pods["web"]["terminationGracePeriodSeconds"] > Server().graceful_timeout
    assert pods["supervisor"]["terminationGracePeriodSeconds"] > Workers().drain_timeout


def test_the_supervisor_joins_the_cluster_that_is_described(
    pods: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    shell, option, line = container_of(pods["supervisor"])["command"]
    assert (shell, option) == ("sh", "-c")
    start, _, then = line.partition(" && ")
    assert then == "exec python -m workers" and start.split()[:2] == ["ray", "start"]
    options = dict(word.partition("=")[::2] for word in start.split()[2:])
    assert set(options) <= find_ray_options()
    (port,) = container_of(pods["ray-head"])["ports"]
    # KubeRay names the service of the head after the cluster
    ((_, cluster),) = [key for key in manifests if key[0] == "RayCluster"]
    assert options["--address"] == f"{cluster}-head-svc:{port['containerPort']}"
    assert (options["--num-cpus"], options["--num-gpus"]) == ("0", "0")


def test_nodes_of_the_cluster_start_with_options_that_exist(manifests: dict[tuple[str, str], Any]) -> None:
    cluster = manifests["RayCluster", "speech"]["spec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        assert {f"--{name}" for name in group["rayStartParams"]} <= find_ray_options()
        assert all(isinstance(value, str) for value in group["rayStartParams"].values()), "as KubeRay wants them"


def test_each_node_has_the_gpu_it_offers_and_memory_for_its_objects(
    pods: dict[str, Any], manifests: dict[tuple[str, str], Any]
) -> None:
    (group,) = manifests["RayCluster", "speech"]["spec"]["workerGroupSpecs"]
    limits = container_of(pods["ray-worker"])["resources"]["limits"]
    assert limits["nvidia.com/gpu"] == group["rayStartParams"]["num-gpus"]
    assert 0 < group["minReplicas"] <= group["replicas"] < group["maxReplicas"]
    for name in ("supervisor", "ray-head", "ray-worker"):
        (memory,) = [volume["emptyDir"] for volume in pods[name]["volumes"] if volume["name"] == "memory"]
        assert memory == {"medium": "Memory", "sizeLimit": "2Gi"}


def test_login_shells_of_the_image_find_its_programs(dockerfile: Dockerfile, tmp_path: Any) -> None:
    """KubeRay starts Ray in one, whose PATH is that of /etc/profile."""
    steps = " ".join(dockerfile.all("RUN"))
    found = re.search(r'echo "PATH=\$PATH" > (/etc/profile\.d/\w+\.sh)', steps)
    assert found and dockerfile.environment["PATH"].startswith("/opt/venv/bin:")
    script = (
        f'PATH=/opt/venv/bin:/usr/bin; echo "PATH=$PATH" > {tmp_path}/a.sh; PATH=/bin; . {tmp_path}/a.sh; echo $PATH'
    )
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "/opt/venv/bin:/usr/bin"
