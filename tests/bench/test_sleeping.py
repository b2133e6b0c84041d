"""The device process that sleeps says what a real one says."""

from __future__ import annotations

import time

import pytest

from bench import sleeping
from tests.workers.supervisor.acting import COMPLETE, make_job
from workers.device.host import Mailbox
from workers.device.protocol import Outcome, Progress, Ready, Resident, Said, Warm


def test_sleeping_task_sends_progress_and_a_result_of_real_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sleeping, "SECONDS", 0.1)
    monkeypatch.setattr(sleeping, "REPORT_SECONDS", 0.05)
    mailbox = Mailbox()
    mailbox.post(make_job("a", COMPLETE))
    mailbox.post(None)
    begun = time.monotonic()
    sleeping.serve_slot(mailbox)
    assert time.monotonic() - begun >= 0.1
    ready, warm, *said, resident, verdict = mailbox.read()
    assert (type(ready), type(warm), type(resident)) == (Ready, Warm, Resident)
    assert [message.message.progress for message in said if _is_progress(message)] == [0.0, 0.5]
    assert isinstance(verdict, Said) and isinstance(verdict.message, Outcome)
    assert 35_000 < len(verdict.message.result) < 40_000


def _is_progress(message: object) -> bool:
    return isinstance(message, Said) and isinstance(message.message, Progress)
