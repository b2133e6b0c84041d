"""A device process dies, hangs or runs out of memory: its tasks lose at most a run, and a new process continues."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.faulty import FaultyService, faulty, is_gone
from tests.faults.injection import ALWAYS, HOLD, happened
from tests.service import SAMPLES, promptly, until
from workers.supervisor.assignment import MOST_STOP_SECONDS

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
    """The shared service; each test ends with one idle process and no faults left."""
    yield shared
    shared.clear_faults()
    shared.finished(submit(shared, "/vad"))


def submit(service: FaultyService, path: str = "/transcription", **params: str) -> str:
    answer = service.post(path, params=params)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["identifier"])


STAGES = [
    ("/transcription", "decode", {"initial_prompt": "struck"}),
    ("/transcription", "transcribe", {"initial_prompt": "struck"}),
    ("/transcription", "align", {"initial_prompt": "struck"}),
    ("/transcription", "diarize", {"initial_prompt": "struck", "is_diarize": "true"}),
    ("/transcription", "separate", {"initial_prompt": "struck", "is_separate_bgm": "true", "save_file": "true"}),
    ("/vad", "vad", {}),
    ("/bgm-separation", "separate", {}),
]


@pytest.fixture
def neighbours(service: FaultyService) -> list[str]:
    """Three tasks that wait in the middle of the same process, until the faults are cleared."""
    service.inject("vad", HOLD, times=3)
    started = [submit(service, "/vad") for _ in range(3)]
    for identifier in started:
        service.wait_for_stage(identifier, "vad")
    return started


@pytest.mark.parametrize(("path", "stage", "params"), STAGES)
def test_task_killed_in_any_stage_runs_again_and_costs_its_neighbours_one_run(
    service: FaultyService, neighbours: list[str], path: str, stage: str, params: dict[str, str]
) -> None:
    fault = service.inject(stage, "sigkill", prompt=params.get("initial_prompt"))
    identifier = submit(service, path, **params)
    until(lambda: happened(fault), "the process is killed", every=0.01)
    until(
        lambda: service.count_log_lines(rf"task {identifier} requeued \(worker_crashed: .*SIGKILL"),
        "the supervisor notices",
        promptly(SEEN_WITHIN),
        every=0.01,
    )
    service.clear_faults()
    for each in (identifier, *neighbours):
        task = service.finished(each)
        assert (task["status"], task["attempt"], task["error"]) == ("COMPLETED", 2, None)
    assert len(service.device_processes()) == 1
    stems = [path.name for path in (service.cache / identifier).iterdir() if path.name.startswith("stems")]
    assert len(stems) == (stage == "separate"), "only the files of the completed run are left"


@pytest.mark.parametrize("act", ["sigsegv", "exit", "abort"])
def test_task_runs_again_after_any_kind_of_crash(service: FaultyService, act: str) -> None:
    service.inject("transcribe", act)
    task = service.finished(submit(service))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 2)


def test_killed_idle_process_is_replaced_and_costs_no_attempt(service: FaultyService) -> None:
    service.finished(submit(service, "/vad"))  # the process is ready, also if this test runs first
    process = service.device_process()
    process.kill()
    until(lambda: is_gone(process) and service.device_processes(), "a new process", promptly(SEEN_WITHIN))
    task = service.finished(submit(service))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)


def test_recording_that_kills_its_process_costs_others_at_most_one_run(service: FaultyService) -> None:
    fault = service.inject("transcribe", "sigkill", ALWAYS, prompt="poison")
    good = [submit(service, "/vad") for _ in range(25)]
    poison = submit(service, initial_prompt="poison")
    good += [submit(service, "/vad") for _ in range(25)]
    ended = [service.finished(identifier) for identifier in good]
    assert {task["status"] for task in ended} == {"COMPLETED"}
    attempts = [task["attempt"] for task in ended]
    assert max(attempts) <= 2 and attempts.count(2) <= 3, "only those beside its first run"
    task = service.finished(poison)
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "worker_crashed", 3)
    assert "Giving up after 3 attempts." in task["error"]
    assert happened(fault) == 3


def test_cancelled_native_call_that_hangs_costs_its_neighbours_nothing(
    service: FaultyService, neighbours: list[str]
) -> None:
    process = service.device_process()
    fault = service.inject("transcribe", "hang", prompt="hanging")
    hanging = submit(service, initial_prompt="hanging")
    until(lambda: happened(fault), "the call hangs")
    assert service.cancel(hanging) == 202
    service.clear_faults()
    until(lambda: is_gone(process), "the hanging process is gone", MOST_STOP_SECONDS + promptly(SEEN_WITHIN))
    assert service.task(hanging)["status"] == "CANCELLED"
    for each in neighbours:
        task = service.finished(each)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 1)


def test_cancelled_task_ends_and_its_process_and_neighbours_go_on(
    service: FaultyService, neighbours: list[str]
) -> None:
    process = service.device_process()
    fault = service.inject("align", "pause", prompt="cancelled")
    cancelled = submit(service, initial_prompt="cancelled")
    until(lambda: happened(fault), "it pauses")
    assert service.cancel(cancelled) == 202
    service.clear_faults()
    for each in neighbours:
        task = service.finished(each)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
    assert service.device_process().pid == process.pid
    assert service.task(cancelled)["status"] == "CANCELLED"


def test_task_out_of_memory_beside_others_runs_again_alone(service: FaultyService, neighbours: list[str]) -> None:
    fault = service.inject("transcribe", "out of memory", times=2, prompt="large")
    large = submit(service, initial_prompt="large")
    until(lambda: happened(fault) == 2, "it has failed twice")
    service.wait_for_log(rf"task {large} requeued \(out_of_memory")
    service.clear_faults()
    for each in neighbours:
        assert service.finished(each)["attempt"] == 1
    task = service.finished(large)
    assert (task["status"], task["attempt"]) == ("COMPLETED", 2)


def test_task_out_of_memory_is_repeated_with_half_the_batch(service: FaultyService) -> None:
    process = service.device_process()
    service.inject("transcribe", "out of memory")
    task = service.finished(submit(service, batch_size="6"))
    assert (task["status"], task["attempt"]) == ("COMPLETED", 1)
    assert "batch_size 6" in task["warnings"][0] and "3 was used instead" in task["warnings"][0]
    assert service.device_process().pid == process.pid


def test_task_out_of_memory_twice_fails_and_its_process_stays(service: FaultyService) -> None:
    process = service.device_process()
    fault = service.inject("transcribe", "out of memory", times=2)
    task = service.finished(submit(service))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "out_of_memory", 1)
    assert "batch_size" in task["error"] and happened(fault) == 2
    assert service.finished(submit(service))["status"] == "COMPLETED"
    assert service.device_process().pid == process.pid


def test_process_is_replaced_after_a_cuda_error(service: FaultyService) -> None:
    process = service.device_process()
    service.inject("align", "cuda error")
    task = service.finished(submit(service))
    assert (task["status"], task["attempt"], task["warnings"]) == ("COMPLETED", 2, [])
    assert service.device_process().pid != process.pid
    service.wait_for_log("unrecoverable device error")


def test_unexpected_error_fails_its_task_at_once_and_the_process_stays(service: FaultyService) -> None:
    process = service.device_process()
    service.inject("transcribe", "unexpected error")
    task = service.finished(submit(service))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "internal_error", 1)
    assert "unexpected failure" not in task["error"]
    service.wait_for_log("unexpected failure")
    assert service.device_process().pid == process.pid


def test_hanging_native_call_ends_at_the_deadline(service: FaultyService) -> None:
    process = service.device_process()
    fault = service.inject("transcribe", "hang")
    identifier = submit(service)
    until(lambda: happened(fault), "the call hangs")
    task = service.finished(identifier, TASK_TIMEOUT + promptly(5))
    assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "timeout", 1)
    assert "workers.task_timeout" in task["error"] and "transcribe" in task["error"]
    until(lambda: is_gone(process), "the hanging process is gone", promptly(SEEN_WITHIN))
    assert service.finished(submit(service))["status"] == "COMPLETED"


def test_task_over_its_deadline_fails_and_its_neighbour_goes_on(tmp_path: Path) -> None:
    """The call sleeps for ever, but lets the other threads of its process run."""
    timeout = 30.0
    with faulty(tmp_path, workers={"task_timeout": timeout}) as service:
        service.start()
        service.finished(submit(service))  # everything is imported
        process = service.device_process()
        fault = service.inject("transcribe", "long pause", prompt="sleeping")
        sleeping = submit(service, initial_prompt="sleeping")
        until(lambda: happened(fault), "it sleeps")
        slept = time.monotonic()
        neighbours = [submit(service) for _ in range(3)]
        for each in neighbours:
            assert service.finished(each)["attempt"] == 1
        # the process is killed after as long as this one would lose, which must be less than its own limit
        time.sleep(max(0.0, slept + 0.8 * timeout - time.monotonic()))
        late = service.inject("decode", HOLD, prompt="late")
        beside = submit(service, initial_prompt="late")
        until(lambda: happened(late), "it is held")
        task = service.finished(sleeping)
        assert (task["status"], task["error_code"], task["attempt"]) == ("FAILED", "timeout", 1)
        until(lambda: is_gone(process), "the process is gone", promptly(SEEN_WITHIN))
        service.clear_faults()
        task = service.finished(beside)
        assert (task["status"], task["attempt"]) == ("COMPLETED", 1)


def test_log_has_one_line_for_each_event_of_a_task(service: FaultyService) -> None:
    service.inject("align", "sigkill")
    identifier = submit(service)
    service.finished(identifier)
    service.wait_for_log(f"task {identifier} completed in")
    lines = [line for line in service.log("worker.log").splitlines() if f"task {identifier}" in line]
    events = ["claimed for cpu-0, attempt 1", "decode", "transcribe", "align", "requeued (worker_crashed", "attempt 2"]
    events += ["decode", "transcribe", "align", "completed in"]
    places = iter(lines)
    assert all(any(event in line for line in places) for event in events), lines
