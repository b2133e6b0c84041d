"""Write the CTranslate2 folder (int8) of a checkpoint's averaged weights.

python convert_whisper.py CHECKPOINT.pt tokenizer.json FOLDER
"""

import json
import shutil
import sys
import tempfile
from pathlib import Path

import ctranslate2
import torch
import whisper_net
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, WhisperFeatureExtractor


def convert(checkpoint: Path, tokenizer_file: Path, folder: Path) -> None:
    tokenizer = Tokenizer.from_file(str(tokenizer_file))
    with tempfile.TemporaryDirectory() as made:
        _as_hugging_face(whisper_net.load(tokenizer, checkpoint, "averaged"), tokenizer, Path(made))
        converter = ctranslate2.converters.TransformersConverter(
            made, copy_files=["tokenizer.json", "preprocessor_config.json"]
        )
        shutil.rmtree(folder, ignore_errors=True)
        converter.convert(str(folder), quantization="int8")
    vocabulary = folder / "vocabulary.json"
    # CTranslate2 considers a model multilingual if its vocabulary has the empty string; it replaces the last, untrained row
    words = json.loads(vocabulary.read_text())
    vocabulary.write_text(json.dumps([*words[:-1], ""], ensure_ascii=False))
    assert ctranslate2.models.Whisper(str(folder)).is_multilingual


def _as_hugging_face(net: whisper_net.MiniWhisper, tokenizer: Tokenizer, folder: Path) -> None:
    token = tokenizer.token_to_id
    model, end = net.net, "<|endoftext|>"
    with torch.no_grad():
        model.model.decoder.embed_tokens.weight.copy_(net.table())
        model.proj_out.weight.copy_(net.table())
    model.generation_config = GenerationConfig(
        decoder_start_token_id=token("<|startoftranscript|>"),
        eos_token_id=token(end),
        is_multilingual=True,
        no_timestamps_token_id=token("<|notimestamps|>"),
        suppress_tokens=[],
        begin_suppress_tokens=[],
        alignment_heads=[list(place) for place in whisper_net.READS_NEXT[1:]],
        lang_to_id={f"<|{language}|>": token(f"<|{language}|>") for language in ("en", "de")},
        task_to_id={task: token(f"<|{task}|>") for task in ("transcribe", "translate")},
    )
    model.save_pretrained(folder)
    special = dict.fromkeys(("eos_token", "bos_token", "unk_token", "pad_token"), end)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=448, **special).save_pretrained(folder)
    WhisperFeatureExtractor().save_pretrained(folder)


if __name__ == "__main__":
    convert(*map(Path, sys.argv[1:4]))
