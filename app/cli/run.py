"""Run jobs side by side, until all are done or the user stops."""

from __future__ import annotations

import queue
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from .outputs import Job, plan_jobs
from .progress import make_printable
from .transcription import DONE, FAILED, INTERRUPTED, SKIPPED, Outcome, Transcriber
from .watch import Watch

LOOK_SECONDS = 0.2
SCAN_SECONDS = 1.0
STOP_SECONDS = 5.0


class Runner:
    """Threads that take jobs from a queue.

    While one recording is transcribed, the next one is uploaded.
    """

    def __init__(self, transcriber: Transcriber, threads: int) -> None:
        self._transcriber = transcriber
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self.outcomes: list[Outcome] = []
        # Not Thread.join: before Python 3.13, Ctrl-C there makes a thread that runs look ended.
        self._ended = [threading.Event() for _ in range(threads)]
        for ended in self._ended:
            # Daemons: a thread that waits for the network must not keep the command from ending.
            threading.Thread(target=self._work, args=[ended], daemon=True).start()

    def add(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            self._jobs.put(job)

    def finish(self) -> None:
        """Wait for all jobs."""
        for _ in self._ended:
            self._jobs.put(None)
        for ended in self._ended:
            while not ended.wait(LOOK_SECONDS):
                pass

    def stop(self) -> None:
        """End the jobs that run, and begin no more. Their tasks go on in the service."""
        self._transcriber.server.stop.set()
        for _ in self._ended:
            self._jobs.put(None)
        for ended in self._ended:
            ended.wait(STOP_SECONDS)

    def _work(self, ended: threading.Event) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                stopped = self._transcriber.server.stop.is_set()
                self.outcomes.append(Outcome(job, INTERRUPTED) if stopped else self._transcriber.run(job))
        finally:
            ended.set()


def transcribe_all(transcriber: Transcriber, jobs: Sequence[Job], threads: int) -> int:
    """Transcribe recordings; return the exit code."""
    runner = Runner(transcriber, min(threads, len(jobs)))
    interrupted = False
    try:
        runner.add(jobs)
        runner.finish()
    except KeyboardInterrupt:
        interrupted = True
        runner.stop()
    transcriber.progress.close()
    report(runner.outcomes)
    if interrupted:
        print("Interrupted. Run the same command again to continue.", file=sys.stderr)
        return 130
    return 1 if any(outcome.state == FAILED for outcome in runner.outcomes) else 0


def transcribe_new(
    transcriber: Transcriber, watch: Watch, formats: Sequence[str], to: Path | None, threads: int
) -> int:
    """Transcribe the recordings of a folder and those that are added, until the user stops; return the exit code."""
    runner = Runner(transcriber, threads)
    problem = ""
    try:
        while not transcriber.server.stop.wait(SCAN_SECONDS):
            try:
                complete = set(watch.take_complete())
                # All of them together: names of results depend on the others in the folder.
                jobs = plan_jobs(watch.list_recordings(), formats, to) if complete else []
                runner.add([job for job in jobs if job.recording in complete])
                problem = ""
            except OSError as error:
                if problem != str(error):
                    problem = str(error)
                    transcriber.progress.say(problem)
    except KeyboardInterrupt:
        pass
    runner.stop()
    transcriber.progress.close()
    report(runner.outcomes)
    return 1 if any(outcome.state == FAILED for outcome in runner.outcomes) else 0


def report(outcomes: Sequence[Outcome]) -> None:
    """Print how many recordings were transcribed, and why others were not."""
    counts = Counter(outcome.state for outcome in outcomes)
    words = {DONE: "transcribed", SKIPPED: "skipped", FAILED: "failed", INTERRUPTED: "not finished"}
    said = [f"{counts[state]} {word}" for state, word in words.items() if counts[state]]
    print(", ".join(said) or "Nothing was transcribed", file=sys.stderr)
    for outcome in outcomes:
        if outcome.state == FAILED:
            print(make_printable(f"  {outcome.job.recording}: {outcome.message}"), file=sys.stderr)
