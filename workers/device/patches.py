"""Every change to a library's internals: why it is made, and the version it was written for.

``tests/workers/device/test_patches.py`` fails when a library changes beneath one of them, or needs it no longer.
``workers/models/demucs.py`` is no patch but a subclass; its test is there as well.
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
    "whisperx": "3.8",
}
MOST_CLUSTERED = 6000


def replace_sentence_splitter(load: Callable[[str], Any]) -> None:
    """Let whisperx 3.8 split sentences with ``load``'s splitter instead of NLTK's data.

    NLTK would download its punkt_tab data. Where the data is shipped instead, NLTK refuses to read it from a folder
    that is group-writable or belongs to another user.
    """
    import whisperx.alignment

    whisperx.alignment.nltk_load = load


def replace_silero(load: Callable[[], Any]) -> None:
    """Let faster-whisper 1.2 use the Silero that ``load`` returns.

    Its own runs over the whole recording in one call: an hour of sound takes three copies and reports no progress.
    """
    import faster_whisper.vad

    faster_whisper.vad.get_vad_model = load


def restore_feature_window(extractor: Any) -> None:
    """Undo what sequential decoding by faster-whisper 1.2 leaves in the feature extractor of a warm model.

    Its ``chunk_length`` stays, and would be the window in which the next task's language is detected.
    """
    extractor.n_samples = extractor.chunk_length * extractor.sampling_rate
    extractor.nb_max_frames = extractor.n_samples // extractor.hop_length


def keep_pyannote_offline(offline: bool) -> None:
    """Let pyannote.audio 4.0 look for its files on disk alone, or, unless ``offline``, on the hub too.

    It would otherwise ask the hub at each load whether there is anything newer.
    """
    import pyannote.audio.utils.hf_hub
    from huggingface_hub import hf_hub_download

    hub: Any = pyannote.audio.utils.hf_hub
    hub.hf_hub_download = partial(hf_hub_download, local_files_only=offline)


def bound_clustering(pipeline: Any, most: int = MOST_CLUSTERED) -> None:
    """Let a pipeline of pyannote.audio 4.0 cluster at most ``most`` embeddings, evenly spaced; others join the nearest.

    Clustering holds the distances of all pairs: a recording of twelve hours would take tens of gigabytes. Windows
    overlap, so hours of speech still have every speaker many times in 6000 of them, which take 0.3 GB.
    """
    import numpy as np

    filter_all = pipeline.clustering.filter_embeddings

    def filter_some(*args: Any, **kwargs: Any) -> Any:
        found = filter_all(*args, **kwargs)
        chosen = np.linspace(0, len(found[0]) - 1, min(most, len(found[0]))).round().astype(int)
        return tuple(part[chosen] for part in found)

    pipeline.clustering.filter_embeddings = filter_some


def replace_tqdm_lock() -> None:
    """Let tqdm 4 lock with a lock of this process.

    Its own is a named semaphore as well, which stays behind in /dev/shm when the process is killed.
    """
    from tqdm import tqdm

    tqdm.set_lock(threading.RLock())
