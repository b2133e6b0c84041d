"""A network takes turns on the device where it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from app.core.params import VadParams
from app.core.settings import Settings
from workers.device.device import Device
from workers.device.networks import take_turn
from workers.device.protocol import Job, Slot
from workers.device.run import Run
from workers.device.turns import Share, StoppedError
from workers.models.cache import WarmModels


def start(slot: Slot, device: Device | None = None) -> Run[Any]:
    settings = Settings()
    job = Job("u", 1, "vad", VadParams(), [], "")
    return Run(job, slot, settings, WarmModels(slot, settings), lambda progress: None, device=device)


def test_network_on_the_device_of_the_slot_has_all_of_it() -> None:
    run = start(Slot(0, "cpu", None, 2))
    with take_turn(run, "cpu") as pass_on:
        assert run.device.turns._free == 0
        assert torch.get_num_threads() == 2
        pass_on()
    assert run.device.turns._free == 2


def test_network_on_the_cpu_of_a_gpu_slot_needs_no_turn() -> None:
    run = start(Slot(0, "cuda", 0, 0))
    with run.device.turns.take(Share()), take_turn(run, "cpu") as pass_on:
        pass_on()
        run.device.turns.stop(run.share)
        with pytest.raises(StoppedError):
            pass_on()
