"""Deliver the messages of the outbox, a few at once.

One thread uses the database; it also watches the attempts and ends those that take too long. Each attempt runs in a
thread of its own (attempt.py): a daemon thread, so that a receiver that does not answer cannot delay the exit of the
process.
"""

from __future__ import annotations

import logging
import os
import platform
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable

from app.core.db import deliveries, tasks, webhooks
from app.core.db.deliveries import Delivery
from app.core.db.notify import Watch
from app.core.net.addresses import Gate, Resolve, resolve
from app.core.settings import Settings
from workers.background import GOODBYE_SECONDS, BackgroundThread
from workers.webhooks.attempt import Answer, Attempt
from workers.webhooks.message import build_headers
from workers.webhooks.schedule import GONE, choose_delay, is_final

log = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between looks for messages that are due, unless the database has changed
LEASE_MARGIN_SECONDS = 15.0  # an attempt ends before its lease does


class Deliverer(BackgroundThread):
    """The messages that one supervisor sends, from ``start`` to ``stop``.

    ``spread`` returns a random number between two others.
    """

    def __init__(
        self,
        settings: Settings,
        resolve: Resolve = resolve,
        clock: Callable[[], float] = time.monotonic,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        super().__init__("webhooks")
        self.name = f"{platform.node()}:{os.getpid()}:webhook:{uuid.uuid4().hex[:8]}"
        self._settings = settings.webhooks
        self._secrets = settings.webhook_secrets
        self._gate = Gate(settings.fetch.allow, resolve)
        self._clock = clock
        self._spread = spread
        self._running: dict[str, Attempt] = {}
        self._watch = Watch()
        self._next_look = 0.0

    def finish(self) -> None:
        deadline = self._clock() + GOODBYE_SECONDS
        for attempt in self._running.values():
            attempt.join(max(0.0, deadline - self._clock()))

    def tick(self) -> None:
        for attempt in self._running.values():
            attempt.watch()
        self._write_outcomes()
        if self._watch.has_changed() or self._clock() >= self._next_look:
            self._next_look = self._clock() + LOOK_SECONDS
            while len(self._running) < self._settings.parallel and self._start_next():
                pass

    def _start_next(self) -> bool:
        hosts = Counter(attempt.held.host for attempt in self._running.values())
        # A receiver that does not answer must not keep the messages to others waiting.
        most = max(1, self._settings.parallel // 2)
        busy = [host for host, count in hosts.items() if count >= most]
        held = deliveries.claim(self.name, self._settings.timeout + LEASE_MARGIN_SECONDS, busy)
        if held is None:
            return False
        if held.task not in self._running:  # else its lease expired while the database was down; this renewed it
            headers = build_headers(held, self._secrets, time.time())
            self._running[held.task] = Attempt(held, headers, self._gate, self._settings.timeout)
        return True

    def _write_outcomes(self) -> None:
        for task, attempt in list(self._running.items()):
            if attempt.answer is not None:
                self._write_outcome(attempt.held, attempt.answer)
                del self._running[task]  # last: if the database fails, the next tick tries again
                self._next_look = 0.0

    def _write_outcome(self, held: Delivery, answer: Answer) -> None:
        number = held.attempts + 1
        delay = choose_delay(number, answer.retry_after, self._spread)
        if not answer.error:
            deliveries.mark_delivered(held)
            log.info("task %s: webhook delivered, attempt %d", held.task, number)
        elif delay is None or (answer.status is not None and is_final(held.receiver.form, answer.status)):
            status = webhooks.DISABLED if answer.status == GONE else webhooks.FAILED
            deliveries.give_up(held, status, answer.error)
            log.warning("task %s: webhook given up after attempt %d: %s", held.task, number, answer.error)
        else:
            deliveries.postpone(held, delay, answer.error)
            log.info("task %s: webhook not delivered, next attempt in %.0f s: %s", held.task, delay, answer.error)
            return
        if tasks.get(held.task) is None:  # the purge has deleted the task meanwhile
            webhooks.remove_ended(held.task)

    def release(self) -> None:
        self._write_outcomes()
        deliveries.release(self.name)
