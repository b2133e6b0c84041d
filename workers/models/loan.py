"""The models that one run uses; no other run can have them freed meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from workers.device.turns import Share, Turns
from workers.models.cache import KEPT, WarmModels


class Loan:
    """The methods of WarmModels, for one run.

    The time that another run needs to load a model counts as waiting. Raises StoppedError.
    """

    def __init__(self, models: WarmModels, turns: Turns, share: Share, tell: Callable[[str | None], None]) -> None:
        self._models = models
        self._turns = turns
        self.share = share
        self.tell = tell

    def whisper(self, name: str, compute_type: str) -> Any:
        return self._models.whisper(name, compute_type, self)

    def aligner(self, language: str) -> tuple[Any, dict[str, Any]]:
        return self._models.aligner(language, self)

    def diarizer(self) -> Any:
        return self._models.diarizer(self)

    def diarizer_warning(self) -> str | None:
        return self._models.diarizer_warning(self)

    def separator(self, name: str) -> Any:
        return self._models.separator(name, self)

    def free(self, *kinds: str) -> None:
        """Give back the models of ``kinds``, and drop those that no other run uses."""
        self.give_back(*kinds)
        self._models.free(*kinds)

    def give_back(self, *kinds: str) -> None:
        """End the use of the models of ``kinds`` (default: all)."""
        self._models.end_use(self, *(kinds or KEPT))

    def wait(self, look: Callable[[], None]) -> None:
        """Wait for another run, once around ``look``."""
        self.share.check()
        with self._turns.wait_for_others(self.share):
            look()
