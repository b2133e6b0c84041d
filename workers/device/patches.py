"""Patches for libraries, each with its reason and version.

``tests/workers/device/test_patches.py`` fails when a library changes in that place, or no longer needs the patch.
``workers/models/demucs.py`` subclasses a library instead; its test is in the same file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

WRITTEN_FOR = {
    "demucs": "4.1",
    "faster-whisper": "1.2",
    "pyannote-audio": "4.0",
    "tqdm": "4",
}
MOST_CLUSTERED = 6000  # embeddings; their distances take 0.3 GB


def replace_silero(load: Callable[[], Any]) -> None:
    """Let faster-whisper 1.2 use the Silero that ``load`` returns.

    Its own processes the whole recording in one call: an hour of audio takes three copies and reports no progress.
    """
    import faster_whisper.vad

    faster_whisper.vad.get_vad_model = load


def keep_pyannote_offline(offline: bool) -> None:
    """Let pyannote.audio 4.0 load files from disk only.

    Otherwise, it asks the hub for newer files at each load. With ``offline`` false, downloads are allowed again.
    """
    import pyannote.audio.utils.hf_hub
    from huggingface_hub import hf_hub_download

    hub: Any = pyannote.audio.utils.hf_hub
    hub.hf_hub_download = partial(hf_hub_download, local_files_only=offline)


def bound_clustering(pipeline: Any, most: int = MOST_CLUSTERED) -> None:
    """Limit the memory of clustering in pyannote.audio 4.0.

    It clusters at most ``most`` embeddings, evenly spaced; the others are assigned to the nearest cluster. Clustering
    stores the distances of all pairs: twelve hours of audio would take tens of gigabytes. Windows overlap, so 6000 of them
    still contain every speaker many times.
    """
    import numpy as np

    filter_all = pipeline.clustering.filter_embeddings

    def filter_some(*args: Any, **kwargs: Any) -> Any:
        found = filter_all(*args, **kwargs)
        chosen = np.linspace(0, len(found[0]) - 1, min(most, len(found[0]))).round().astype(int)
        return tuple(part[chosen] for part in found)

    pipeline.clustering.filter_embeddings = filter_some


def replace_tqdm_lock() -> None:
    """Let tqdm 4 use a lock of this process only.

    Its default also takes a named semaphore, which stays in /dev/shm when the process is killed.
    """
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())
