"""One slot per GPU, or CPU slots that share the cores."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from app.core.errors import SettingsError
from app.core.settings import BgmSeparation, Diarization, Workers
from tests.service import ROOT
from workers.device import slots
from workers.device.environment import visible_device
from workers.device.execution import to_speech_error


def test_each_gpu_is_a_slot_of_its_own() -> None:
    found = slots.list_slots(Workers(device="auto"), gpus=2)
    assert [(slot.number, slot.device, slot.cuda_index) for slot in found] == [(0, "cuda", 0), (1, "cuda", 1)]


def test_each_gpu_can_have_several_slots() -> None:
    found = slots.list_slots(Workers(device="auto", slots_per_gpu=2), gpus=2)
    assert [(slot.number, slot.cuda_index) for slot in found] == [(0, 0), (1, 0), (2, 1), (3, 1)]


def test_without_a_gpu_auto_is_the_cpu() -> None:
    (slot,) = slots.list_slots(Workers(device="auto"), gpus=0)
    assert (slot.device, slot.cuda_index, slot.threads) == ("cpu", None, slots.count_cores())


def test_cpu_is_chosen_although_there_is_a_gpu() -> None:
    assert slots.list_slots(Workers(device="cpu"), gpus=4)[0].device == "cpu"


def test_cpu_slots_share_the_cores() -> None:
    found = slots.list_slots(Workers(device="cpu", cpu_slots=2))
    assert [slot.threads for slot in found] == [max(1, slots.count_cores() // 2)] * 2


def test_cuda_without_a_gpu_refuses_to_start() -> None:
    with pytest.raises(SettingsError, match="no CUDA device"):
        slots.list_slots(Workers(device="cuda"), gpus=0)


def test_hidden_gpus_are_not_counted() -> None:
    """In another process, as the variable is read once per process; must work without a driver, too."""
    code = f"import {slots.__name__} as devices; print(devices.count_gpus())"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout == "0\n", done.stderr


def test_cores_are_those_this_process_may_use() -> None:
    assert 1 <= slots.count_cores() <= (os.cpu_count() or 1)


def test_cuda_visible_devices_is_respected() -> None:
    assert visible_device(1, "3,5") == "5"
    assert visible_device(1, None) == "1"
    assert visible_device(0, "GPU-abc") == "GPU-abc"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("CUDA failed with error out of memory"), "out_of_memory"),
        (MemoryError(), "out_of_memory"),
        (RuntimeError("std::bad_alloc"), "out_of_memory"),
        (KeyError("x"), "internal_error"),
    ],
)
def test_exceptions_become_codes(error: Exception, code: str) -> None:
    assert to_speech_error(error).code == code


def test_unexpected_error_shows_no_internals() -> None:
    assert "secret" not in to_speech_error(RuntimeError("secret path")).message


def test_separation_runs_on_the_configured_device() -> None:
    cpu, gpu = slots.list_slots(Workers(device="cpu"))[0], slots.list_slots(Workers(), gpus=1)[0]
    assert slots.choose_separation_device(BgmSeparation(device="auto"), gpu) == "cuda"
    assert slots.choose_separation_device(BgmSeparation(device="cpu"), gpu) == "cpu"
    assert slots.choose_separation_device(BgmSeparation(device="auto"), cpu) == "cpu"
    with pytest.raises(SettingsError, match=r"bgm_separation\.device is cuda"):
        slots.choose_separation_device(BgmSeparation(device="cuda"), cpu)


def test_diarization_runs_on_the_configured_device() -> None:
    cpu, gpu = slots.list_slots(Workers(device="cpu"))[0], slots.list_slots(Workers(), gpus=1)[0]
    assert slots.choose_diarization_device(Diarization(device="auto"), gpu) == "cuda"
    assert slots.choose_diarization_device(Diarization(device="cpu"), gpu) == "cpu"
    assert slots.choose_diarization_device(Diarization(device="auto"), cpu) == "cpu"
