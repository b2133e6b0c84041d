"""Transcribe recordings: upload, follow, write the results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import requests

from .form import UploadForm
from .journal import Journal, make_key
from .outputs import Job, make_query, write_file
from .progress import Progress
from .server import Server, ServerError, Stopped, read_json, read_retry_after

PATH = "/transcription"
POLL_SECONDS = 1.0
ENDED_WITHOUT_RESULT = ("FAILED", "CANCELLED")
NO_TASK = "00000000-0000-0000-0000-000000000000"
DONE, SKIPPED, FAILED, INTERRUPTED = "done", "skipped", "failed", "interrupted"


@dataclass(frozen=True)
class Outcome:
    """How a job has ended; ``message`` says why it failed."""

    job: Job
    state: str
    message: str = ""


@dataclass(frozen=True)
class Transcriber:
    """What all jobs of a command share.

    ``fields``: parameters of the task. ``again``: do not skip results that are there.
    """

    server: Server
    journal: Journal
    progress: Progress
    fields: Mapping[str, str]
    again: bool = False

    def check(self, formats: Any, patience: float) -> None:
        """Raise ServerError unless the service can be reached and knows the formats."""
        for name in formats:
            try:
                self.server.get(f"/task/{NO_TASK}/result", make_query(name), self.progress.say, patience)
            except ServerError as error:
                if error.status != 404:  # parameters are checked before the task is looked up
                    raise

    def run(self, job: Job) -> Outcome:
        """Do one job; errors are part of the outcome."""
        if not self.again and job.is_finished():
            self.progress.end(job.name, "is transcribed already")
            return Outcome(job, SKIPPED)
        try:
            warnings = self._transcribe(job)
        except Stopped:
            return Outcome(job, INTERRUPTED)
        except (ServerError, OSError) as error:
            message = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
            self.progress.end(job.name, message)
            return Outcome(job, FAILED, message)
        self.progress.end(job.name, "; ".join(["done", *(f"warning: {warning}" for warning in warnings)]))
        return Outcome(job, DONE)

    def _transcribe(self, job: Job) -> list[str]:
        key = make_key(self.server.url + PATH, job.recording, self.fields)
        task = self._find_task(job, key) or self._submit(job, key)
        body = self._follow(job, task)
        if body["status"] in ENDED_WITHOUT_RESULT:
            reason = f"{body.get('error_code')}: {body.get('error')}" if body["status"] == "FAILED" else "was cancelled"
            raise ServerError(reason)
        for name, path in job.outputs.items():
            self.progress.update(job.name, f"writing {name}", 1.0)
            answer = self.server.get(f"/task/{task}/result", make_query(name), self._say(job))
            write_file(path, answer.content)
        self.journal.remove(key)
        return [str(warning) for warning in body.get("warnings") or ()]

    def _find_task(self, job: Job, key: str) -> str | None:
        """Return the task of an earlier run of the command, if it can still give a result.

        After a failure, the next key is another one, since the same would find the failed task.
        """
        task = self.journal.find(key)
        body = self._read(job, task) if task else None
        if body is not None and body["status"] in ENDED_WITHOUT_RESULT:
            self.journal.note_failure(key)
            return None
        return task if body is not None else None

    def _submit(self, job: Job, key: str) -> str:
        url = self.server.url + PATH
        headers = {"Idempotency-Key": f'"speech-{key}-{self.journal.read_round(key)}"'}

        def send(session: requests.Session) -> requests.Response:
            form = UploadForm(job.recording, self.fields, lambda part: self._show_upload(job, part))
            try:
                headers["Content-Type"] = form.content_type
                return session.post(url, data=form, headers=headers, allow_redirects=False)
            except requests.ConnectionError:
                # A server that refuses an upload closes the connection, and its answer may be lost. A request without a
                # recording gets the same answer.
                answer = session.post(url, allow_redirects=False)
                if answer.status_code == 422:
                    raise
                return answer
            finally:
                form.close()

        task = read_json(self.server.request(send, self._say(job))).get("identifier")
        if not isinstance(task, str):
            raise ServerError(f"{url} does not answer like the speech service; check --url.")
        self.journal.remember(key, task)
        return task

    def _follow(self, job: Job, task: str) -> dict[str, Any]:
        """Poll until the task has ended."""
        while True:
            answer = self.server.get(f"/task/{task}", say=self._say(job))
            body = read_json(answer)
            if body.get("status") in ("COMPLETED", *ENDED_WITHOUT_RESULT):
                return body
            waiting = body.get("status") == "QUEUED" and not body.get("stage")
            stage = "queued" if waiting else str(body.get("stage") or "running")
            self.progress.update(job.name, stage, float(body.get("progress") or 0.0), body.get("eta_seconds"))
            self.server.sleep(read_retry_after(answer) or POLL_SECONDS)

    def _read(self, job: Job, task: str) -> dict[str, Any] | None:
        """Read a task; None if it has been deleted."""
        try:
            return read_json(self.server.get(f"/task/{task}", say=self._say(job)))
        except ServerError as error:
            if error.status == 404:
                return None
            raise

    def _show_upload(self, job: Job, part: float) -> None:
        if self.server.stop.is_set():
            raise Stopped
        self.progress.update(job.name, "uploading", part)

    def _say(self, job: Job) -> Any:
        return lambda problem: self.progress.update(job.name, f"waiting: {problem}", 0.0)
