"""The ledger's clock jumps by a day while the service runs: nothing is purged, run twice or held up for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import requests

from tests.faults import clock
from tests.faults.faulty import faulty
from tests.service import until

DAY = 86_400.0


@pytest.mark.parametrize("days", [1, -1])
def test_fault_15_clock_jumps_a_day(tmp_path: Path, days: int) -> None:
    with faulty(tmp_path, cache={"ttl": 3600, "frequency": 1}, workers={"task_timeout": 300.0}) as service:
        service.start()
        finished = service.submit()
        service.finished(finished)
        service.order("align", "pause")
        running, waiting = service.submit(), service.submit()
        service.reached(running, "align")
        clock.jump(service.faults, days * DAY)
        time.sleep(7)  # a heartbeat, a renewal of leases and several rounds of the purge
        ended = [service.finished(each) for each in (running, waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        assert (service.cache / finished / "source").exists(), "its hour is not over"
        assert requests.get(f"{service.url}/task/{finished}", timeout=10).json()["result"]
        if days > 0:
            assert service.said("a clock jumped ahead by 864")
        assert not service.said("requeued")
        # a pause after a crash, too, ends in its time
        service.order("transcribe", "sigkill")
        task = service.finished(service.submit())
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)


def test_fault_15_clock_set_back_while_a_task_pauses(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"retry_pause": 3.0}) as service:
        service.start()
        service.order("transcribe", "sigkill")
        identifier = service.submit()
        until(lambda: service.said("requeued"), "it is to be tried again")
        clock.jump(service.faults, -DAY)
        assert service.finished(identifier)["status"] == "COMPLETED"


def test_the_purge_goes_on_once_the_time_has_really_passed(tmp_path: Path) -> None:
    with faulty(tmp_path, cache={"ttl": 12, "frequency": 1}) as service:
        service.start()
        identifier = service.submit()
        ended = service.finished(identifier)
        finished = time.monotonic()
        clock.jump(service.faults, DAY)
        time.sleep(4)
        assert (service.cache / identifier).exists() and ended["status"] == "COMPLETED"
        until(lambda: not (service.cache / identifier).exists(), "purged", 30)
        assert time.monotonic() - finished > 10
