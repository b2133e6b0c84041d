"""A device process dies, hangs or runs out of memory: its task is run again, no other is touched, and the device serves on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.faulty import FaultyService, faulty, is_gone
from tests.faults.injection import ALWAYS, happened
from tests.service import SAMPLES, promptly, until

SEEN_WITHIN = 2.0
TASK_TIMEOUT = 60.0
CONVERSATION = SAMPLES / "voices2.ogg"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultyService]:
    with faulty(tmp_path_factory.mktemp("faults"), workers={"task_timeout": TASK_TIMEOUT}) as service:
        service.start()
        yield service


@pytest.fixture
def service(shared: FaultyService) -> Iterator[FaultyService]:
    """As the last test left it, which must be in order: one idle process, no orders."""
    yield shared
    shared.call_off()
    shared.finished(posted(shared, "/vad"))


def posted(service: FaultyService, path: str = "/transcription", **params: str) -> str:
    answer = service.post(path, params=params)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["identifier"])


STAGES = [
    ("/transcription", "decode", {}),
    ("/transcription", "transcribe", {}),
    ("/transcription", "align", {}),
    ("/transcription", "diarize", {"is_diarize": "true"}),
    ("/transcription", "separate", {"is_separate_bgm": "true", "save_file": "true"}),
    ("/vad", "vad", {}),
    ("/bgm-separation", "separate", {}),
]


@pytest.mark.parametrize(("path", "stage", "params"), STAGES)
def test_fault_1_killed_in_any_stage_the_task_runs_again(
    service: FaultyService, path: str, stage: str, params: dict[str, str]
) -> None:
    order = service.order(stage, "sigkill")
    identifier = posted(service, path, **params)
    bystander = posted(service, "/vad")
    until(lambda: happened(order), "it was killed", every=0.01)
    until(
        lambda: service.said(rf"task {identifier} requeued \(worker_crashed: .*SIGKILL"),
        "its death is seen",
        promptly(SEEN_WITHIN),
        every=0.01,
    )
    task = service.finished(identifier)
    assert (task["status"], task["attempt"], task["error"]) == ("COMPLETED", 2, None)
    other = service.finished(bystander)
    assert (other["status"], other["attempt"]) == ("COMPLETED", 1)
    assert len(service.device_processes()) == 1
    stems = [path.name for path in (service.cache / identifier).iterdir() if path.name.startswith("stems")]
    assert len(stems) == (stage == "separate"), "only the files of the run that came to a result are left"


@pytest.mark.parametrize("act", ["sigsegv", "exit", "abort"])
def test_fault_1_however_it_dies(service: FaultyService, act: str) -> None:
    service.order("transcribe", act)
    task = service.finished(posted(service))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 2)


def test_fault_2_killed_while_idle_it_is_replaced_and_nothing_is_spent(service: FaultyService) -> None:
    service.finished(posted(service, "/vad"))  # so that it is ready, whichever test comes first
    process = service.device_process()
    process.kill()
    until(lambda: is_gone(process) and service.device_processes(), "another process", promptly(SEEN_WITHIN))
    task = service.finished(posted(service))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)


def test_promise_poison_is_contained(service: FaultyService) -> None:
    order = service.order("transcribe", "sigkill", ALWAYS, prompt="poison")
    good = [posted(service, "/vad") for _ in range(25)]
    poison = posted(service, initial_prompt="poison")
    good += [posted(service, "/vad") for _ in range(25)]
    ended = [service.finished(identifier) for identifier in good]
    assert {(task["status"], task["attempt"]) for task in ended} == {("COMPLETED", 1)}
    task = service.finished(poison)
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "worker_crashed", 3)
    assert "Giving up after 3 attempts." in task["error"]
    assert happened(order) == 3


def test_fault_12_out_of_memory_once_is_done_with_half_the_batch(service: FaultyService) -> None:
    process = service.device_process()
    service.order("transcribe", "out of memory")
    task = service.finished(posted(service, batch_size="6"))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
    assert "batch_size 6" in task["warnings"][0] and "3 was used instead" in task["warnings"][0]
    assert service.device_process().pid == process.pid


def test_fault_12_out_of_memory_twice_is_the_end_of_the_task_alone(service: FaultyService) -> None:
    process = service.device_process()
    order = service.order("transcribe", "out of memory", times=2)
    task = service.finished(posted(service))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "out_of_memory", 1)
    assert "batch_size" in task["error"] and happened(order) == 2
    assert service.finished(posted(service))["status"] == "COMPLETED"
    assert service.device_process().pid == process.pid


def test_fault_13_after_a_cuda_error_the_process_is_replaced(service: FaultyService) -> None:
    process = service.device_process()
    service.order("align", "cuda error")
    task = service.finished(posted(service))
    assert (task["status"], task["attempt"], task["warnings"]) == ("COMPLETED", 2, [])
    assert service.device_process().pid != process.pid
    service.says("unrecoverable device error")


def test_unforeseen_error_fails_its_task_at_once_and_the_process_stays(service: FaultyService) -> None:
    process = service.device_process()
    service.order("transcribe", "unforeseen")
    task = service.finished(posted(service))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "internal_error", 1)
    assert "nobody foresaw" not in task["error"]
    service.says("nobody foresaw this")
    assert service.device_process().pid == process.pid


def test_fault_14_a_hang_in_native_code_ends_at_the_deadline(service: FaultyService) -> None:
    process = service.device_process()
    order = service.order("transcribe", "hang")
    identifier = posted(service)
    until(lambda: happened(order), "it hangs")
    task = service.finished(identifier, TASK_TIMEOUT + promptly(5))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "timeout", 1)
    assert "workers.task_timeout" in task["error"] and "transcribe" in task["error"]
    until(lambda: is_gone(process), "the process that hung is gone", promptly(SEEN_WITHIN))
    assert service.finished(posted(service))["status"] == "COMPLETED"


def test_an_operator_reads_each_event_in_a_line(service: FaultyService) -> None:
    service.order("align", "sigkill")
    identifier = posted(service)
    service.finished(identifier)
    service.says(f"task {identifier} completed in")
    lines = [line for line in service.log("worker.log").splitlines() if f"task {identifier}" in line]
    events = ["claimed for cpu-0, attempt 1", "decode", "transcribe", "align", "requeued (worker_crashed", "attempt 2"]
    events += ["decode", "transcribe", "align", "completed in"]
    places = iter(lines)
    assert all(any(event in line for line in places) for event in events), lines
