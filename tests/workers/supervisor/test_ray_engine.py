"""Device processes as actors of a Ray cluster: one node on this machine, whose CPU slot stands for a GPU."""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.core import settings as app_settings
from app.core.errors import SettingsError
from app.core.settings import Cache, Ray, Settings, Whisper, Workers
from tests.ray_nodes import kill_node, ray_head, ray_node
from tests.service import MINI, until
from tests.workers.supervisor import acting
from tests.workers.supervisor.acting import COMPLETE, GO_ON
from tests.workers.supervisor.device_contract import LIMITS, DeviceContract, assign, read
from workers.device.node import Versions
from workers.device.protocol import Slot
from workers.supervisor.process import DeviceProcess

ray: Any = pytest.importorskip("ray", reason="Ray is not installed (requirements-cluster.txt)")
SLOT = Slot(0, "cpu", None, 0)


class Head:
    """The head of the cluster at ``address``."""

    def __init__(self, address: str) -> None:
        port = address.rpartition(":")[2]
        (self._process,) = [each for each in psutil.process_iter() if is_gcs(each, port)]

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        self._process.suspend()
        try:
            yield
        finally:
            self._process.resume()


def is_gcs(process: psutil.Process, port: str) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.name() == "gcs_server" and f"--gcs_server_port={port}" in process.cmdline()
    return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ray_head(tmp_path_factory.mktemp("ray") / "log") as address:
        yield address
        ray.shutdown()


@pytest.fixture
def head(address: str) -> Head:
    return Head(address)


@pytest.fixture(scope="module")
def cluster(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from workers.supervisor.ray_engine import RayEngine

    folder = tmp_path_factory.mktemp("cache")
    mini = app_settings.load({"CONFIG": str(MINI / "config.yaml"), "CACHE_DIR": str(folder)}, root=folder)
    settings = replace(mini, workers=Workers(engine="ray", device="cpu"), ray=Ray(address=address))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    engine = RayEngine(settings, acting.serve_slot)
    for number, handler in before.items():
        signal.signal(number, handler)
    yield engine


class TestRayDevice(DeviceContract):
    seen_within = 5.0

    @pytest.fixture
    def engine(self, cluster: Any) -> Any:
        return cluster

    def test_end_names_the_node(self, engine: Any, process: DeviceProcess) -> None:
        node, _, pid = process.transport.place.rpartition(", process ")
        os.kill(int(pid), signal.SIGKILL)
        process.transport.finish(10.0)
        assert process.transport.describe_end().startswith(f"{node}: the process has died (ActorDiedError of Ray: ")

    def test_second_process_waits_for_the_device_of_the_first(self, engine: Any, process: DeviceProcess) -> None:
        second = DeviceProcess(SLOT, LIMITS, engine.start(SLOT, False), False)
        time.sleep(0.5)
        second.read_messages()
        assert (second.state, second.is_alive, second.check_load()) == ("waiting", True, None)
        process.kill()
        try:
            read(engine, second, lambda said: second.ready)
        finally:
            second.kill()

    def test_process_of_another_version_is_refused_with_both_named(
        self, engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "_versions", Versions("1.0", "2.7", "00000000"))
        transport = engine.start(SLOT, False)
        until(lambda: engine.wait(0.05) or not transport.is_alive, "it is refused", every=0.0)
        assert f"Ray {ray.__version__}" in transport.describe_end()
        assert (
            "but the supervisor has Ray 1.0, Python 2.7 and build 00000000 of the service" in transport.describe_end()
        )

    def test_node_that_does_not_see_the_files_is_refused(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(engine, "_mark", "of another folder")
        transport = engine.start(SLOT, False)
        until(lambda: engine.wait(0.05) or not transport.is_alive, "it is refused", every=0.0)
        assert "it must be a shared folder" in transport.describe_end()

    def test_node_without_the_model_is_refused_with_its_name(
        self, engine: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(engine, "_sent", replace(engine._sent, whisper=Whisper(model_size="none-such")))
        transport = engine.start(SLOT, False)
        until(lambda: engine.wait(0.05) or not transport.is_alive, "it is refused", every=0.0)
        assert "model none-such: not on disk" in transport.describe_end()

    def test_unread_messages_of_a_killed_process_do_not_keep_the_engine_from_waiting(
        self, engine: Any, process: DeviceProcess
    ) -> None:
        assign(process, "a", GO_ON)
        until(lambda: engine.wait(0.05) or process.transport.has_arrived, "it has said something", every=0.0)
        process.kill()
        engine.wait(0.0)
        begun = time.monotonic()
        engine.wait(0.3)
        assert time.monotonic() - begun > 0.2

    def test_request_to_terminate_is_ignored_like_that_to_a_local_process(
        self, engine: Any, process: DeviceProcess
    ) -> None:
        os.kill(int(process.transport.place.rpartition(" ")[2]), signal.SIGTERM)
        time.sleep(0.5)
        assign(process, "a", COMPLETE)
        read(engine, process, lambda said: len(said) == 3)

    def test_nothing_waits_for_a_head_that_is_away(self, engine: Any, process: DeviceProcess, head: Head) -> None:
        with head.away():
            begun = time.monotonic()
            assign(process, "a", COMPLETE)
            read(engine, process, lambda said: len(said) == 3)
            os.kill(int(process.transport.place.rpartition(" ")[2]), signal.SIGKILL)
            process.transport.finish(10.0)
            assert not process.is_alive, "its node knows"
            second, third = (DeviceProcess(SLOT, LIMITS, engine.start(SLOT, False), False) for _ in range(2))
            third.kill()  # it has no place yet
            assert time.monotonic() - begun < 10.0
        try:
            read(engine, second, lambda said: second.ready)
        finally:
            second.kill()

    def test_commands_keep_their_order(self, engine: Any, process: DeviceProcess) -> None:
        runs = [assign(process, f"task {number}", GO_ON) for number in range(50)]
        said = read(engine, process, lambda said: len(said) == len(runs))
        assert [message.key.uuid for message in said] == [run.claim.uuid for run in runs]  # type: ignore[union-attr]


def test_check_asks_each_node_with_a_device(cluster: Any, tmp_path: Path) -> None:
    from workers.supervisor.ray_cluster import check_nodes

    here = f"{platform.node()} ({ray.nodes()[0]['NodeManagerAddress']})"
    assert check_nodes(cluster._settings) == [(here, "")]
    without = replace(cluster._settings, whisper=Whisper(model_size="none-such"))
    ((_, obstacle),) = check_nodes(without)
    assert "model none-such: not on disk" in obstacle


def test_devices_of_the_cluster_are_listed_up_to_the_limit(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from workers.supervisor import ray_engine
    from workers.supervisor.ray_cluster import Devices

    assert cluster.list_slots() == [SLOT]
    monkeypatch.setattr(ray_engine, "count_devices", lambda: Devices(gpus=3, cpu_slots=2, nodes=2))
    monkeypatch.setattr(cluster, "_settings", Settings(ray=Ray(slots=2)))
    monkeypatch.setattr(cluster, "_slots", [])
    cluster._look()
    assert cluster.list_slots() == [Slot(0, "cuda", 0, 0), Slot(1, "cuda", 0, 0)]


def test_several_processes_per_gpu_are_refused_on_ray() -> None:
    from workers.supervisor.ray_engine import RayEngine

    with pytest.raises(SettingsError, match=r"workers\.slots_per_gpu"):
        RayEngine(Settings(workers=Workers(engine="ray", slots_per_gpu=2)))


def test_death_of_a_process_with_its_node_is_distinguished(cluster: Any, address: str, tmp_path: Path) -> None:
    first = DeviceProcess(SLOT, LIMITS, cluster.start(SLOT, False), False)
    try:
        read(
            cluster, first, lambda said: first.ready
        )  # on the only device, so that the next one gets that of the new node
        with ray_node(address, tmp_path / "log") as node:
            second = DeviceProcess(SLOT, LIMITS, cluster.start(SLOT, False), False)
            read(cluster, second, lambda said: second.ready)
            kill_node(node)
            second.transport.finish(15.0)
    finally:
        first.kill()
    assert second.transport.has_lost_node and "its node is lost" in second.transport.describe_end()
    assert not first.transport.has_lost_node


@pytest.mark.parametrize("is_preempted", [True, False])
def test_node_that_left_the_cluster_counts_as_lost(is_preempted: bool) -> None:
    from ray.core.generated.common_pb2 import ActorDiedErrorContext, NodeDeathInfo
    from ray.exceptions import ActorDiedError

    from workers.supervisor.ray_transport import is_of_node

    reason = NodeDeathInfo.AUTOSCALER_DRAIN_PREEMPTED if is_preempted else NodeDeathInfo.UNEXPECTED_TERMINATION
    say = "" if is_preempted else "The actor died because its node has died. Node Id: 73724d"
    context = ActorDiedErrorContext(error_message=say, node_death_info=NodeDeathInfo(reason=reason), actor_id=b"1" * 16)
    assert is_of_node(ActorDiedError(context))
    context = ActorDiedErrorContext(error_message="its worker process has died", actor_id=b"1" * 16)
    assert not is_of_node(ActorDiedError(context))


@pytest.mark.parametrize(
    ("workers", "section", "named"),
    [
        (Workers(engine="ray", device="cuda"), Ray(idle_timeout=60.0), r"ray\.slots"),
        (Workers(engine="ray"), Ray(slots=2, idle_timeout=60.0), r"workers\.device: cuda or cpu"),
    ],
)
def test_unclear_autoscaling_is_refused(workers: Workers, section: Ray, named: str) -> None:
    from workers.supervisor.ray_engine import RayEngine

    with pytest.raises(SettingsError, match=named):
        RayEngine(Settings(workers=workers, ray=section))


@pytest.mark.parametrize(("device", "slot"), [("cuda", Slot(1, "cuda", 0, 0)), ("cpu", Slot(1, "cpu", None, 0))])
def test_autoscaled_devices_need_not_be_there_yet(
    address: str, cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, device: str, slot: Slot
) -> None:
    from workers.supervisor import ray_engine

    monkeypatch.setattr(ray_engine, "wait_for_cluster", lambda _: None)  # ``cluster`` is connected
    settings = Settings(
        workers=Workers(engine="ray", device=device),
        ray=Ray(address=address, slots=2, idle_timeout=60.0),
        cache=Cache(path=tmp_path),
    )
    engine = ray_engine.RayEngine(settings, acting.serve_slot)
    assert engine.is_elastic and not cluster.is_elastic
    assert (len(engine.list_slots()), engine.list_slots()[1]) == (2, slot)
