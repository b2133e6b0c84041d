"""A result of realistic size, for benchmarks without models."""

from __future__ import annotations

import json

WORD = {"start": 0.4, "end": 1.7, "word": "hello", "probability": 0.93}
RESULT = json.dumps([{"id": 0, "start": 0.4, "end": 1.7, "text": "hello", "words": [WORD] * 10}] * 53)  # 38 kB
