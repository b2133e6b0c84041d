"""A cluster that does not answer is waited for; one of another version is refused."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.errors import SettingsError
from app.core.settings import Ray, Settings, Workers
from workers.models import check

ray: Any = pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")

MISMATCH = "Version mismatch: The cluster was started with:\n    Ray: 1\nThis process was started with:\n    Ray: 2"


def test_cluster_of_another_version_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.supervisor import ray_cluster

    monkeypatch.setattr(ray, "init", answer(RuntimeError(MISMATCH)))
    with pytest.raises(SettingsError, match=r"ray\.address: Version mismatch: .* Ray: 1 This process .* Ray: 2"):
        ray_cluster.wait_for_cluster("auto")


def test_cluster_that_does_not_answer_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from workers.supervisor import ray_cluster

    monkeypatch.setattr(ray, "init", answer(ConnectionError("nothing there"), ConnectionError("nothing there"), None))
    monkeypatch.setattr(ray_cluster, "PAUSE_SECONDS", 0.0)
    ray_cluster.wait_for_cluster("head:6379")
    assert caplog.text.count("no Ray node answers at ray.address head:6379") == 2


def test_machine_without_a_node_of_the_cluster_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.supervisor import ray_cluster

    failed = ConnectionError("Failed to connect to Ray cluster at head:6379")
    failed.__cause__ = RuntimeError("No node info found matching attributes: ''")
    monkeypatch.setattr(ray, "init", answer(failed))
    with pytest.raises(ConnectionError, match=r"runs on this machine; start one with: ray start --address=head:6379"):
        ray_cluster.connect("head:6379")


@pytest.mark.parametrize(
    ("error", "verdicts", "words"),
    [
        (None, [check.OK, check.OK, check.FAIL], "2 GPUs and 1 CPU slots on 3 nodes"),
        (ConnectionError("nothing there"), [check.FAIL], "nothing there"),
        (RuntimeError(MISMATCH), [check.FAIL], "Ray: 1"),
    ],
)
def test_check_says_what_the_cluster_and_each_node_has(
    monkeypatch: pytest.MonkeyPatch, error: Exception | None, verdicts: list[str], words: str
) -> None:
    from workers.supervisor import ray_cluster

    monkeypatch.setattr(ray, "init", answer(error))
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"GPU": 2.0, "speech_slot": 1.0})
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": alive} for alive in (True, True, True, False)])
    monkeypatch.setattr(ray_cluster, "check_nodes", lambda settings: [("one", ""), ("two", "no model")])
    found = list(check._check_devices(Settings(workers=Workers(engine="ray"), ray=Ray(address="head:6379"))))
    assert [finding.verdict for finding in found] == verdicts
    assert found[0].subject == "ray" and words in found[0].text
    assert [finding.text for finding in found[1:]] == ["one: can run tasks", "two: no model"][: len(found) - 1]


def test_check_fails_for_a_cluster_without_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "init", answer(None))
    monkeypatch.setattr(ray, "cluster_resources", dict)
    monkeypatch.setattr(ray, "nodes", lambda: [{"Alive": True, "Resources": {"CPU": 1.0}}])
    (finding,) = check._check_devices(Settings(workers=Workers(engine="ray")))
    assert (finding.verdict, finding.text.split("; ")[1]) == (check.FAIL, "no task can run without a device")


def answer(*errors: Exception | None) -> Any:
    left = list(errors)

    def init(**_: Any) -> None:
        if (error := left.pop(0)) is not None:
            raise error

    return init
