"""The database's clock jumps by a day while the service runs: nothing is purged, run twice or held up for it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.faults import clock
from tests.faults.faulty import faulty
from tests.faults.injection import HOLD
from tests.service import last_moment, until

DAY = 86_400.0


@pytest.mark.parametrize("days", [1, -1])
def test_fault_15_clock_jumps_a_day(tmp_path: Path, days: int) -> None:
    with faulty(tmp_path, cache={"ttl": 3600, "frequency": 1}, workers={"task_timeout": 300.0}) as service:
        service.start()
        finished = service.submit()
        service.finished(finished)
        service.order("align", HOLD)
        running, waiting = service.submit(), service.submit()
        service.reached(running, "align")
        clock.jump(service.faults, days * DAY)
        if days > 0:
            service.says("a clock jumped ahead by 864")  # the purge was there, and comes again every second
        time.sleep(7)  # for a heartbeat, a renewal of leases and more rounds of the purge
        service.call_off()
        ended = [service.finished(each) for each in (running, waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        assert (service.cache / finished / "source").exists(), service.log("worker.log")  # its hour is not over
        assert service.task(finished)["result"]
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
        service.says("requeued")
        clock.jump(service.faults, -DAY)
        assert service.finished(identifier)["status"] == "COMPLETED"


def test_the_purge_goes_on_once_the_time_has_really_passed(tmp_path: Path) -> None:
    ttl = 12
    with faulty(tmp_path, cache={"ttl": ttl, "frequency": 1}) as service:
        service.start()
        identifier = service.submit()
        running = last_moment(lambda: service.task(identifier)["finished_at"] is None)
        assert service.task(identifier)["status"] == "COMPLETED"
        clock.jump(service.faults, DAY)
        until(lambda: not (service.cache / identifier).exists(), "purged", every=0.01)
        assert time.monotonic() - running > ttl, "it ended after we saw it run, and its time is counted from its end"
        assert service.said("a clock jumped ahead by 864") == 1
