"""What the runs of one device process share: its turns, batches and memory."""

from __future__ import annotations

import time
from collections.abc import Callable

from app.core.settings import Workers
from workers.device.audio_memory import AudioMemory
from workers.device.batcher import Batcher
from workers.device.protocol import Slot
from workers.device.turns import Turns


class Device:
    """The device of one process."""

    def __init__(self, slot: Slot, workers: Workers, clock: Callable[[], float] = time.monotonic) -> None:
        self.turns = Turns(max(1, slot.threads) if slot.device == "cpu" else 1, clock)
        self.batcher = Batcher(self.turns, clock)
        self.audio = AudioMemory(workers.max_audio_mb, self.turns)
