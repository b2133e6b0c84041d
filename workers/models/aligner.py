"""Load an alignment model as whisperx does, without what else whisperx imports: that takes seconds."""

from __future__ import annotations

from typing import Any

from workers.device.libraries import import_library

# Large libraries that transformers and NLTK import if they are installed, and that no aligner needs.
UNNEEDED = ("sklearn", "scipy", "pandas", "torchvision", "matplotlib")


def import_libraries() -> None:
    """Import what the first words of a transcription need."""
    import_library("nltk.tokenize.punkt", UNNEEDED)
    import_library("torchaudio", UNNEEDED)


def load_bundle(name: str, language: str, folder: str, device: str) -> tuple[Any, dict[str, Any]]:
    """Load one of torchaudio's bundles from ``folder``; return whisperx's (model, metadata)."""
    import_libraries()
    bundle = getattr(import_library("torchaudio.pipelines"), name)
    model = bundle.get_model(dl_kwargs={"model_dir": folder}).to(device)
    return model, _describe(language, "torchaudio", {label: number for number, label in enumerate(bundle.get_labels())})


def load_folder(folder: str, language: str, device: str) -> tuple[Any, dict[str, Any]]:
    """Load a wav2vec 2.0 model of transformers from ``folder``; return whisperx's (model, metadata)."""
    import_libraries()
    transformers = import_library("transformers.models.wav2vec2", UNNEEDED)
    processor = transformers.Wav2Vec2Processor.from_pretrained(folder, local_files_only=True)
    model = transformers.Wav2Vec2ForCTC.from_pretrained(folder, local_files_only=True).to(device)
    return model, _describe(language, "huggingface", processor.tokenizer.get_vocab())


def _describe(language: str, kind: str, labels: dict[str, int]) -> dict[str, Any]:
    dictionary = {label.lower(): number for label, number in labels.items()}
    return {"language": language, "dictionary": dictionary, "type": kind}
