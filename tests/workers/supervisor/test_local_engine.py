"""Device processes on this machine."""

from __future__ import annotations

import signal

import pytest

from app.core.settings import Settings
from tests.workers.supervisor import acting
from tests.workers.supervisor.acting import DIE
from tests.workers.supervisor.device_contract import DeviceContract, assign
from workers.device.protocol import Slot
from workers.supervisor.local_engine import LocalEngine
from workers.supervisor.process import DeviceProcess

SLOT = Slot(0, "cpu", None, 1)


class TestLocalDevice(DeviceContract):
    @pytest.fixture
    def engine(self) -> LocalEngine:
        return LocalEngine(Settings(), [SLOT], acting.serve)

    def test_end_names_the_signal(self, process: DeviceProcess) -> None:
        assign(process, "a", DIE)
        process.transport.finish(10.0)
        assert process.transport.describe_end() == f"{signal.SIGKILL.name}, possibly out of memory"
