"""Turns go to the task that has used the device least, and end for a run that is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.service import until
from tests.workers.clock import Clock
from workers.device.turns import OVERDUE_SECONDS, Share, StoppedError, Turns


class Worker:
    """A thread that takes one turn, and notes it in ``order``."""

    def __init__(self, turns: Turns, name: str, order: list[str], used: float = 0.0, cores: int | None = None) -> None:
        self.share = Share()
        self.share.used = used
        self.failed: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(turns, name, order, cores), daemon=True)
        self._thread.start()
        until(lambda: self.share.waiting or not self._thread.is_alive(), "it waits or has had its turn", every=0.001)

    def _run(self, turns: Turns, name: str, order: list[str], cores: int | None) -> None:
        try:
            with turns.take(self.share, cores):
                order.append(name)
        except BaseException as error:  # noqa: BLE001 - also StoppedError
            self.failed = error

    def join(self) -> None:
        self._thread.join(10)
        assert not self._thread.is_alive()


@contextmanager
def occupied(turns: Turns, cores: int | None = None) -> Iterator[None]:
    with turns.take(Share(), cores):
        yield


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def turns(clock: Clock) -> Turns:
    return Turns(2, clock)


def test_next_turn_is_for_the_task_that_has_used_least(turns: Turns) -> None:
    order: list[str] = []
    with occupied(turns):
        workers = [Worker(turns, str(used), order, used) for used in (5.0, 1.0, 3.0)]
    for worker in workers:
        worker.join()
    assert order == ["1.0", "3.0", "5.0"]


def test_equal_tasks_have_turns_in_the_order_of_asking(turns: Turns) -> None:
    order: list[str] = []
    with occupied(turns):
        workers = [Worker(turns, name, order) for name in "abc"]
    for worker in workers:
        worker.join()
    assert order == ["a", "b", "c"]


def test_use_is_counted_in_core_seconds(turns: Turns, clock: Clock) -> None:
    one, both = Share(), Share()
    with turns.take(one, 1):
        clock.now += 3
    with turns.take(both):
        clock.now += 3
    assert (one.used, both.used) == (3.0, 6.0)


def test_turns_of_single_cores_run_side_by_side_and_those_of_all_cores_alone(turns: Turns) -> None:
    order: list[str] = []
    with occupied(turns, 1):
        Worker(turns, "beside", order, cores=1).join()
        waiting = Worker(turns, "all", order)
        assert order == ["beside"]
    waiting.join()
    assert order == ["beside", "all"]


def test_turn_of_all_cores_is_not_passed_by_those_that_have_used_more(turns: Turns) -> None:
    order: list[str] = []
    with occupied(turns, 1):
        wide = Worker(turns, "wide", order, used=1.0)
        narrow = Worker(turns, "narrow", order, used=2.0, cores=1)
        assert order == []
    wide.join()
    narrow.join()
    assert order == ["wide", "narrow"]


def test_task_that_waits_long_goes_before_new_ones(turns: Turns, clock: Clock) -> None:
    order: list[str] = []
    with occupied(turns):
        long = Worker(turns, "long", order, used=1000.0)
        clock.now += OVERDUE_SECONDS + 1
        new = Worker(turns, "new", order)
    long.join()
    new.join()
    assert order == ["long", "new"]


def test_time_of_a_turn_in_progress_counts(turns: Turns, clock: Clock) -> None:
    order: list[str] = []
    busy = Share()
    with occupied(turns, 1), turns.take(busy, 1):
        clock.now += 5
        other = Worker(turns, "other", order, used=3.0, cores=1)
        second = threading.Thread(target=lambda: turns.take(busy, 1).__enter__() and order.append("busy"), daemon=True)
        second.start()
        until(lambda: busy.waiting, "it waits", every=0.001)
        # one core is free, and the other thread of the busy run has used more
        until(lambda: not other._thread.is_alive() or busy.waiting, "both have asked")
    other.join()
    second.join(10)
    assert order == ["other", "busy"]


def test_stopped_run_leaves_the_queue_and_the_others_go_on(turns: Turns) -> None:
    order: list[str] = []
    with occupied(turns):
        stopped, other = Worker(turns, "stopped", order), Worker(turns, "other", order)
        turns.stop(stopped.share)
        stopped.join()
        assert isinstance(stopped.failed, StoppedError)
    other.join()
    assert order == ["other"]


def test_stopped_run_has_no_further_turn(turns: Turns) -> None:
    share = Share()
    turns.stop(share)
    with pytest.raises(StoppedError), turns.take(share):
        pytest.fail("it had a turn")
    with occupied(turns):
        pass


def test_turn_passes_on_to_those_that_have_used_less_only(turns: Turns, clock: Clock) -> None:
    order: list[str] = []
    share = Share()
    with turns.take(share) as turn:
        clock.now += 1
        less, more = Worker(turns, "less", order, used=1.0), Worker(turns, "more", order, used=9.0)
        turn.pass_on()
        assert order == ["less"]
    less.join()
    more.join()
    assert order == ["less", "more"]


def test_turn_stays_where_it_is_without_others(turns: Turns) -> None:
    share = Share()
    with turns.take(share) as turn:
        began = share.began[turn]
        turn.pass_on()
        assert share.began == {turn: began}
        turns.stop(share)
        with pytest.raises(StoppedError):
            turn.pass_on()
    with occupied(turns):
        pass


def test_run_stopped_while_it_passes_on_gives_its_turn_back(turns: Turns) -> None:
    share, held = Share(), threading.Event()

    def hold() -> None:
        with turns.take(Share()):
            held.wait(10)

    with pytest.raises(StoppedError), turns.take(share) as turn:
        holder = threading.Thread(target=hold, daemon=True)
        holder.start()
        until(lambda: turns._waiting, "the other asks", every=0.001)
        share.used = 100.0
        threading.Thread(target=lambda: (time.sleep(0.1), turns.stop(share)), daemon=True).start()
        turn.pass_on()
    held.set()
    holder.join(10)
    with occupied(turns):
        pass


def test_waiting_time_is_measured_while_no_thread_of_the_run_has_a_turn(turns: Turns, clock: Clock) -> None:
    order: list[str] = []
    with occupied(turns):
        worker = Worker(turns, "w", order)
        clock.now += 4
        assert turns.measure_wait(worker.share) == (4.0, True)
    worker.join()
    clock.now += 7
    assert turns.measure_wait(worker.share) == (4.0, False)
    with turns.take(worker.share, 1), turns.wait_for_others(worker.share):
        clock.now += 5
        assert turns.measure_wait(worker.share) == (4.0, False)
    with turns.wait_for_others(worker.share):
        clock.now += 1
    assert turns.measure_wait(worker.share) == (5.0, False)


def test_unneeded_turn_is_not_taken(turns: Turns) -> None:
    needed = [True]
    got: list[object] = []

    def ask() -> None:
        with turns.take_unless(lambda: not needed[0], Share()) as turn:
            got.append(turn)

    with occupied(turns):
        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        until(lambda: turns._waiting, "it waits", every=0.001)
        needed[0] = False
        turns.wake()
        thread.join(10)
        assert got == [None]


def test_many_threads_never_use_more_cores_than_there_are() -> None:
    turns, in_use, most = Turns(3), [0], [0]
    lock = threading.Lock()

    def use(share: Share, cores: int) -> None:
        for _ in range(30):
            with turns.take(share, cores):
                with lock:
                    in_use[0] += cores
                    most[0] = max(most[0], in_use[0])
                time.sleep(0.0005)
                with lock:
                    in_use[0] -= cores

    shares = [Share() for _ in range(4)]
    threads = [threading.Thread(target=use, args=(share, cores)) for share in shares for cores in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (in_use[0], most[0], turns._free) == (0, 3, 3)
