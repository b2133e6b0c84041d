"""The database's clock jumps by a day while the service runs: nothing is purged early, run twice or delayed."""

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
def test_clock_jump_of_a_day_purges_and_repeats_nothing(tmp_path: Path, days: int) -> None:
    with faulty(tmp_path, cache={"ttl": 3600, "frequency": 1}, workers={"task_timeout": 300.0}) as service:
        service.start()
        finished = service.submit()
        service.finished(finished)
        service.inject("align", HOLD)
        running, waiting = service.submit(), service.submit()
        service.wait_for_stage(running, "align")
        clock.jump(service.faults, days * DAY)
        if days > 0:
            service.wait_for_log("a clock jumped ahead by 864")  # the purge noticed it; it runs every second
        time.sleep(7)  # for a heartbeat, a renewal of leases and more rounds of the purge
        service.clear_faults()
        ended = [service.finished(each) for each in (running, waiting)]
        assert [(task["status"], task["attempt"]) for task in ended] == [("COMPLETED", 1)] * 2
        assert (service.cache / finished / "source").exists(), service.log("worker.log")  # its ttl is not over
        assert service.task(finished)["result"]
        assert not service.count_log_lines("requeued")
        # the pause after a crash also ends in time
        service.inject("transcribe", "sigkill")
        task = service.finished(service.submit())
        assert (task["status"], task["attempt"]) == ("COMPLETED", 2)


def test_pause_after_a_crash_ends_although_the_clock_was_set_back(tmp_path: Path) -> None:
    with faulty(tmp_path, workers={"retry_pause": 3.0}) as service:
        service.start()
        service.inject("transcribe", "sigkill")
        identifier = service.submit()
        service.wait_for_log("requeued")
        clock.jump(service.faults, -DAY)
        assert service.finished(identifier)["status"] == "COMPLETED"


def test_purge_continues_when_the_time_has_really_passed(tmp_path: Path) -> None:
    ttl = 12
    with faulty(tmp_path, cache={"ttl": ttl, "frequency": 1}) as service:
        service.start()
        identifier = service.submit()
        running = last_moment(lambda: service.task(identifier)["finished_at"] is None)
        assert service.task(identifier)["status"] == "COMPLETED"
        clock.jump(service.faults, DAY)
        until(lambda: not (service.cache / identifier).exists(), "purged", every=0.01)
        assert time.monotonic() - running > ttl, (
            "the age counts from the end of the task, after the last moment at which it ran"
        )
        assert service.count_log_lines("a clock jumped ahead by 864") == 1
