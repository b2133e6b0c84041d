"""Keep the models of a device process loaded, for all of its runs."""

from __future__ import annotations

import gc
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Protocol
from weakref import WeakSet

from app.core.settings import Settings
from workers.device.protocol import Slot
from workers.models.loader import Loader

# models kept loaded, by kind; a task of another language or size replaces the least recently used one
KEPT = {"whisper": 1, "align": 2, "separate": 1, "diarize": 1}
LOOK_SECONDS = 0.5


class User(Protocol):
    """A run that uses models (workers/models/loan.py)."""

    def tell(self, model: str | None, /) -> None:
        """Learn which model is loaded for it; None after that."""

    def wait(self, look: Callable[[], None], /) -> None:
        """Call ``look``, which waits for a moment."""


class _Preload:
    """The user of models that are loaded before a task needs them."""

    def __init__(self, tell: Callable[[str | None], None]) -> None:
        self.tell = tell

    def wait(self, look: Callable[[], None], /) -> None:
        look()


class _Kept:
    """A loaded model and its users; those that have ended without giving it back leave by themselves."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.users: WeakSet[User] = WeakSet()


class WarmModels:
    """A cache of loaded models, by kind and key, for all runs of a process.

    When a kind is full, its least recently used model is freed, unless a run uses it. Models are loaded one after the other.
    A model that is missing is looked for again each time, on disk; only a failed download is remembered (fetch.py).
    """

    def __init__(
        self,
        slot: Slot,
        settings: Settings,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str | None], None] = lambda model: None,
    ) -> None:
        self._loader = Loader(slot, settings, clock)
        self._diarization = settings.diarization.model
        # ``tell`` is called with the model's name before loading, with None after it
        self._preload = _Preload(tell)
        self._changed = threading.Condition()
        self._is_loading = False
        self._kept: dict[str, OrderedDict[Any, _Kept]] = {kind: OrderedDict() for kind in KEPT}

    def whisper(self, name: str, compute_type: str, user: User | None = None) -> Any:
        """Get a faster_whisper.WhisperModel, which its users may not change.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get("whisper", (name, compute_type), lambda: self._loader.load_whisper(name, compute_type), user)

    def aligner(self, language: str, user: User | None = None) -> tuple[Any, dict[str, Any]]:
        """Get whisperx's (model, metadata) for ``language``.

        Raises SpeechError model_not_available, with advice.
        """
        model: tuple[Any, dict[str, Any]] = self._get(
            "align", language, lambda: self._loader.load_aligner(language), user
        )
        return model

    def diarizer(self, user: User | None = None) -> Any:
        """Get whisperx's DiarizationPipeline.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get_diarizer(user)[0]

    def diarizer_warning(self, user: User | None = None) -> str | None:
        """Get a warning for the client if the diarizer is not the preferred one, which was not available.

        Raises SpeechError as ``diarizer`` does.
        """
        return self._get_diarizer(user)[1]

    def separator(self, name: str, user: User | None = None) -> Any:
        """Get a demucs.api.Separator with a vocals stem, which its users may not change.

        Raises SpeechError model_not_available, with advice.
        """
        return self._get("separate", name, lambda: self._loader.load_separator(name), user)

    def free(self, *kinds: str) -> None:
        """Drop the models of ``kinds`` that no run uses, and return their memory."""
        with self._changed:
            for kind in kinds:
                for key in [key for key, kept in self._kept[kind].items() if not kept.users]:
                    del self._kept[kind][key]
        collect_garbage()

    def end_use(self, user: User, *kinds: str) -> None:
        """End the use of the models of ``kinds``; what is more than is kept is dropped."""
        with self._changed:
            for kind in kinds:
                for kept in self._kept[kind].values():
                    kept.users.discard(user)
                self._drop_unused(kind, KEPT[kind])

    def _get_diarizer(self, user: User | None) -> tuple[Any, str | None]:
        found: tuple[Any, str | None] = self._get("diarize", self._diarization, self._loader.load_diarizer, user)
        return found

    def _get(self, kind: str, key: Any, load: Callable[[], Any], user: User | None) -> Any:
        user = user or self._preload
        while True:
            with self._changed:
                kept = self._kept[kind].get(key)
                if kept is not None:
                    return self._use(kind, key, kept, user)
                if not self._is_loading:
                    self._is_loading = True
                    # before loading: both together may not fit into memory
                    self._drop_unused(kind, KEPT[kind] - 1)
                    break
            user.wait(self._wait_for_load)
        user.tell(f"{kind} {key[0] if isinstance(key, tuple) else key}")
        try:
            kept = _Kept(load())
            with self._changed:
                self._kept[kind][key] = kept
                return self._use(kind, key, kept, user)
        finally:
            with self._changed:
                self._is_loading = False
                self._changed.notify_all()
            user.tell(None)

    def _use(self, kind: str, key: Any, kept: _Kept, user: User) -> Any:
        self._kept[kind].move_to_end(key)
        if user is not self._preload:
            kept.users.add(user)
        return kept.model

    def _wait_for_load(self) -> None:
        with self._changed:
            if self._is_loading:
                self._changed.wait(LOOK_SECONDS)

    def _drop_unused(self, kind: str, most: int) -> None:
        """Drop models that no run uses, least recently used first, until there are ``most``."""
        kept = self._kept[kind]
        unused = [key for key, each in kept.items() if not each.users]
        dropped = unused[: max(0, len(kept) - most)]
        for key in dropped:
            del kept[key]
        if dropped:
            collect_garbage()


def choose_compute_type(asked: str, device: str) -> str:
    """Return ``asked`` if the device supports it, else the best.

    That is float16 on a GPU and int8 on a CPU; float32 works on both.
    """
    import ctranslate2

    supported = ctranslate2.get_supported_compute_types(device)
    if asked == "default" or asked in supported:
        return asked
    preferred = ("float16", "int8_float16", "float32") if device == "cuda" else ("int8", "int8_float32", "float32")
    return next(kind for kind in preferred if kind in supported)


def collect_garbage() -> None:
    """Collect garbage and return cached memory to the GPU driver.

    The remaining objects are frozen, so that later collections skip them: the libraries hold half a million objects, which
    would cost every task a quarter of a second.
    """
    gc.unfreeze()  # models that have been freed since are garbage now
    gc.collect()
    gc.freeze()
    # if nothing has imported torch yet, there is no memory to return
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()
