"""Each patch of a library still applies and is still needed."""

from __future__ import annotations

import importlib.metadata
import inspect
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faster_whisper.vad
import numpy as np
import pytest
from demucs.api import Separator

from tests.service import ROOT
from workers.device import patches


def uses(function: Any, name: str) -> bool:
    """Whether ``function`` looks up ``name``, so that a replacement takes effect."""
    return name in function.__code__.co_names


@pytest.mark.parametrize("library", patches.WRITTEN_FOR)
def test_library_has_the_version_the_patches_were_written_for(library: str) -> None:
    installed = importlib.metadata.version(library)
    assert f"{installed}.".startswith(f"{patches.WRITTEN_FOR[library]}."), (
        "check the patches against its code, then update WRITTEN_FOR"
    )


def test_every_patch_names_the_version_it_was_written_for() -> None:
    names = ("faster-whisper", "pyannote.audio", "tqdm")
    for name, function in inspect.getmembers(patches, inspect.isfunction):
        if function.__module__ == patches.__name__:
            assert any(f"{library} " in str(function.__doc__) for library in names), name


def test_faster_whisper_uses_our_silero(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def silent(samples: Any) -> Any:
        asked.append(len(samples))
        return np.zeros(len(samples) // 512, np.float32)

    monkeypatch.setattr(faster_whisper.vad, "get_vad_model", faster_whisper.vad.get_vad_model)
    patches.replace_silero(lambda: silent)
    assert faster_whisper.vad.get_speech_timestamps(np.zeros(512 * 4, np.float32)) == []
    assert len(asked) == 1


def test_pyannote_uses_our_download_function(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyannote.audio.utils.hf_hub as hub

    assert uses(hub.download_from_hf_hub, "hf_hub_download")
    monkeypatch.setattr(hub, "hf_hub_download", None)
    for offline in (True, False):
        patches.keep_pyannote_offline(offline)
        replaced: Any = hub.hf_hub_download
        assert replaced.keywords == {"local_files_only": offline}
    assert "local_files_only" in inspect.signature(replaced.func).parameters


def test_pyannote_still_clusters_what_filter_embeddings_returns() -> None:
    from pyannote.audio.pipelines.clustering import BaseClustering, Clustering

    for kind in Clustering:
        assert issubclass(kind.value, BaseClustering) and uses(kind.value.__call__, "filter_embeddings"), kind
    embeddings = np.random.default_rng(0).standard_normal((50, 2, 4))
    segmentations = SimpleNamespace(data=np.repeat(np.eye(2)[None], 50, axis=1).repeat(50, axis=0))  # by turns
    clustering = SimpleNamespace(
        filter_embeddings=lambda *a, **k: BaseClustering.filter_embeddings(clustering, *a, **k), metric="cosine"
    )
    found = clustering.filter_embeddings(embeddings, segmentations=segmentations)
    assert len({len(part) for part in found}) == 1, "three arrays of equal length"
    patches.bound_clustering(SimpleNamespace(clustering=clustering), most=10)
    bounded = clustering.filter_embeddings(embeddings, segmentations=segmentations)
    assert [len(part) for part in bounded] == [10] * len(found)


def test_demucs_separator_still_has_the_members_we_replace() -> None:
    assert uses(Separator.__init__, "_load_model")
    used = {"_name", "_repo", "_model", "_audio_channels", "_samplerate"}
    names = {name for function in (Separator.__init__, Separator._load_model) for name in function.__code__.co_names}
    assert used <= names


SEMAPHORE = """
import sys, tqdm
from workers.device import patches
if sys.argv[1] == "patched":
    patches.replace_tqdm_lock()
tqdm.tqdm(total=1, file=open("/dev/null", "w")).close()
print(hasattr(tqdm.std.TqdmDefaultWriteLock, "mp_lock") and tqdm.std.TqdmDefaultWriteLock.mp_lock is not None)
"""


@pytest.mark.parametrize(("how", "made"), [("unpatched", "True"), ("patched", "False")])
def test_tqdm_makes_a_named_semaphore_unless_it_has_a_lock(how: str, made: str) -> None:
    command = [sys.executable, "-c", SEMAPHORE, how]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == made, done.stderr


def test_libraries_are_patched_in_one_module_only() -> None:
    libraries = ("whisperx", "faster_whisper", "pyannote", "demucs", "tqdm", "torch", "huggingface_hub")
    assigned = re.compile(rf"^\s*(?:{'|'.join(libraries)})(?:\.\w+)+ = |set_lock\(", re.MULTILINE)
    files = [*(ROOT / "workers").rglob("*.py"), *(ROOT / "app").rglob("*.py")]
    assert {file for file in files if assigned.search(file.read_text())} == {Path(patches.__file__)}
