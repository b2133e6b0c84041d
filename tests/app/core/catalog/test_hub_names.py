"""The tables of model names match the libraries."""

from __future__ import annotations

import pytest

from app.core.catalog import hub_names

pytestmark = pytest.mark.slow  # importing the libraries takes half a minute


def test_whisper_sizes_are_those_of_faster_whisper() -> None:
    from faster_whisper.utils import _MODELS

    assert hub_names.WHISPER == _MODELS


def test_aligners_are_those_of_whisperx() -> None:
    from whisperx.alignment import DEFAULT_ALIGN_MODELS_HF, DEFAULT_ALIGN_MODELS_TORCH

    assert hub_names.ALIGNERS == {**DEFAULT_ALIGN_MODELS_TORCH, **DEFAULT_ALIGN_MODELS_HF}


def test_bundles_are_those_of_torchaudio() -> None:
    from torchaudio import pipelines

    known = {
        name: bundle._path
        for name in pipelines.__all__
        if isinstance(bundle := getattr(pipelines, name), pipelines.Wav2Vec2ASRBundle)
    }
    del known["MMS_FA"]  # for forced alignment only, and at another URL
    assert known == hub_names.BUNDLES


def test_bundle_urls_are_those_of_torchaudio() -> None:
    from unittest.mock import patch

    from torchaudio import pipelines

    with patch("torchaudio.pipelines._wav2vec2.utils.load_state_dict_from_url", side_effect=KeyError) as fetch:
        for name, file in hub_names.BUNDLES.items():
            try:
                getattr(pipelines, name)._get_state_dict(None)
            except KeyError:
                assert fetch.call_args.args == (hub_names.BUNDLES_URL + file,)
    assert fetch.call_count == len(hub_names.BUNDLES)


def test_demucs_models_are_those_of_demucs() -> None:
    from demucs.hf import DEFAULT_NAMESPACE, hf_repo_name
    from demucs.pretrained import REMOTE_ROOT

    names = {bag.stem for bag in REMOTE_ROOT.glob("*.yaml") if not bag.stem.startswith("repro_")}
    assert {name: f"{DEFAULT_NAMESPACE}/{hf_repo_name(name)}" for name in names} == hub_names.DEMUCS
