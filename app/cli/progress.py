"""Show the progress of several recordings: bars on a terminal, lines elsewhere."""

from __future__ import annotations

import sys
import threading
from typing import TextIO

from tqdm import tqdm

FORMAT = "{desc} {percentage:3.0f}% |{bar}| {postfix}"
NAME_COLUMNS = 30


class Lines:
    """One line for each change of stage and each message, without times: they would be out of date."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stderr
        self._stages: dict[str, str] = {}
        self._lock = threading.Lock()

    def update(self, name: str, stage: str, fraction: float, seconds: float | None = None) -> None:
        with self._lock:
            if self._stages.get(name) == stage:
                return
            self._stages[name] = stage
        self.say(f"{name}: {stage}")

    def end(self, name: str, message: str) -> None:
        with self._lock:
            self._stages.pop(name, None)
        self.say(f"{name}: {message}")

    def say(self, message: str) -> None:
        with self._lock:
            print(make_printable(message), file=self._output, flush=True)

    def close(self) -> None:
        """Nothing to do."""


class Bars:
    """A bar for each recording in progress, and the messages above them."""

    def __init__(self, output: TextIO | None = None) -> None:
        self._output = output or sys.stderr
        self._bars: dict[str, tqdm] = {}
        self._lock = threading.Lock()

    def update(self, name: str, stage: str, fraction: float, seconds: float | None = None) -> None:
        """Show the stage, the fraction done, and the ``seconds`` to the end, if they are known."""
        left = "" if seconds is None else f", {tqdm.format_interval(seconds)} left"
        with self._lock:
            bar = self._bars.get(name)
            if bar is None:
                bar = self._bars[name] = self._make_bar(name)
            bar.set_postfix_str(make_printable(stage + left), refresh=False)
            bar.n = round(100 * fraction, 1)
            bar.refresh()

    def end(self, name: str, message: str) -> None:
        with self._lock:
            bar = self._bars.pop(name, None)
            if bar is not None:
                bar.close()
        self.say(f"{name}: {message}")

    def say(self, message: str) -> None:
        with self._lock:
            tqdm.write(make_printable(message), file=self._output)

    def close(self) -> None:
        with self._lock:
            for bar in self._bars.values():
                bar.close()
            self._bars.clear()

    def _make_bar(self, name: str) -> tqdm:
        label = make_printable(name)
        label = label if len(label) <= NAME_COLUMNS else f"{label[: NAME_COLUMNS - 1]}…"
        return tqdm(
            total=100,
            desc=f"{label:{NAME_COLUMNS}}",
            bar_format=FORMAT,
            leave=False,
            file=self._output,
            dynamic_ncols=True,
        )


Progress = Lines | Bars


def make_progress(output: TextIO | None = None) -> Progress:
    """Choose bars on a terminal, lines elsewhere."""
    chosen = output or sys.stderr
    return Bars(chosen) if chosen.isatty() else Lines(chosen)


def make_printable(text: str) -> str:
    """Replace control characters and broken ones: a file name must not control the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
