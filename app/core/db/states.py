"""The states, kinds and stages of a task.

Only tasks.py, batches.py, leases.py and downloads.py move tasks between states.
"""

from __future__ import annotations

from typing import Literal, get_args

QUEUED = "QUEUED"
IN_PROGRESS = "IN_PROGRESS"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
CANCELLED = "CANCELLED"

STATUSES = (QUEUED, IN_PROGRESS, COMPLETED, FAILED, CANCELLED)
TERMINAL = (COMPLETED, FAILED, CANCELLED)

TRANSCRIPTION = "transcription"
VAD = "vad"
BGM_SEPARATION = "bgm-separation"
DETECT_LANGUAGE = "detect_language"
ALIGNMENT = "alignment"
TASK_TYPES = (TRANSCRIPTION, VAD, BGM_SEPARATION, DETECT_LANGUAGE, ALIGNMENT)
BATCH_TYPES = tuple(kind for kind in TASK_TYPES if kind != ALIGNMENT)  # a transcript is of one recording
TRANSCRIPTS = (TRANSCRIPTION, ALIGNMENT)  # their result is a list of segments with words

Stage = Literal["download", "decode", "separate", "vad", "transcribe", "align", "diarize", "detect"]
STAGES: tuple[Stage, ...] = get_args(Stage)

MAX_ATTEMPTS = 3  # a task fails after this many crashed runs
MAX_LOST_NODES = 10  # a task fails after this many runs whose node was lost
