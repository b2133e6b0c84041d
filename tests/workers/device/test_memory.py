"""Freed memory is returned to the system even when memory in use lies behind it."""

from __future__ import annotations

import ctypes
import multiprocessing
import sys
from multiprocessing.connection import Connection

import psutil
import pytest

from tests.workers.clock import Clock
from workers.device.memory import GROWTH, Heap

BLOCK = 12 * 2**20
RESULT = 2**19  # larger than the holes that imports leave: smaller ones would be filled first
BATCHES = 60
pytestmark = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(None), "malloc_trim"), reason=f"the C library of this {sys.platform} has no malloc_trim"
)


def in_process(report: Connection, trimmed: bool) -> None:
    """Allocate large buffers with a small result behind each; free only the buffers."""
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = libc.free.argtypes = [ctypes.c_size_t]
    libc.free(libc.malloc(30 * 2**20))  # raises the mmap threshold: malloc now takes such blocks from its heap
    heap = Heap()
    before = psutil.Process().memory_info().rss
    buffers = []
    for _ in range(BATCHES):
        buffers.append(libc.malloc(BLOCK))
        ctypes.memset(buffers[-1], 1, BLOCK)
        libc.malloc(RESULT)
    for buffer in buffers:
        libc.free(buffer)
    if trimmed:
        heap.trim_grown()
    report.send(psutil.Process().memory_info().rss - before)


def growth(trimmed: bool) -> int:
    """The growth in bytes of a new process that allocates and frees."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=in_process, args=(theirs, trimmed))
    process.start()
    grown = ours.recv()
    process.join(60)
    return int(grown)


def test_freed_memory_between_results_is_returned() -> None:
    assert growth(trimmed=False) > BATCHES * BLOCK * 0.9, "malloc keeps them"
    assert growth(trimmed=True) < BATCHES * BLOCK * 0.1


def test_no_trim_without_growth() -> None:
    heap = Heap()
    assert not heap.trim_grown()
    held = b"\x01" * (GROWTH + 2**20)
    assert heap.trim_grown()
    assert not heap.trim_grown(), "nothing has grown since the last trim"
    del held


def test_trims_take_at_most_a_fiftieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    heap = Heap(clock)
    monkeypatch.setattr(heap, "_trim", lambda _pad: setattr(clock, "now", clock.now + 0.1))
    resident = iter(range(10 * GROWTH, 100 * GROWTH, GROWTH))
    monkeypatch.setattr(heap, "_read_resident", lambda: next(resident))
    assert heap.trim_grown()
    clock.now += 4.9
    assert not heap.trim_grown()
    clock.now += 0.2
    assert heap.trim_grown()
