"""Convert a checkpoint to a CTranslate2 folder: python convert_whisper.py CHECKPOINT OUT [LAYER,HEAD ...]; written beside OUT, then renamed"""
import json, os, shutil, sys, tempfile, warnings; warnings.filterwarnings("ignore")
import ctranslate2, torch
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast, WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration
out = sys.argv[2].rstrip("/"); heads = [[int(v) for v in a.split(",")] for a in sys.argv[3:]] or [[1, 0], [1, 1]]
torch.set_num_threads(1); ck = torch.load(sys.argv[1]); tok = Tokenizer.from_file("tokenizer.json"); V = tok.get_vocab_size(); I = tok.token_to_id
c = dict(ck["cfg"]); c["vocab_size"] = V + 1; m = WhisperForConditionalGeneration(WhisperConfig(**c)); m.load_state_dict(ck["m"])   # row V = the never-chosen token
m.generation_config = GenerationConfig(decoder_start_token_id=I("<|startoftranscript|>"), eos_token_id=I("<|endoftext|>"), is_multilingual=True,
    no_timestamps_token_id=I("<|notimestamps|>"), suppress_tokens=[], begin_suppress_tokens=[], alignment_heads=heads,
    lang_to_id={f"<|{l}|>": I(f"<|{l}|>") for l in ("en", "de")}, task_to_id={t: I(f"<|{t}|>") for t in ("transcribe", "translate")})
with tempfile.TemporaryDirectory() as hf:
    m.save_pretrained(hf)
    PreTrainedTokenizerFast(tokenizer_object=tok, eos_token="<|endoftext|>", bos_token="<|endoftext|>", unk_token="<|endoftext|>", pad_token="<|endoftext|>", model_max_length=448).save_pretrained(hf)
    WhisperFeatureExtractor().save_pretrained(hf)
    tmp = out + ".tmp"; shutil.rmtree(tmp, ignore_errors=True)
    ctranslate2.converters.TransformersConverter(hf, copy_files=["tokenizer.json", "preprocessor_config.json"]).convert(tmp, quantization="int8", force=True)
v = json.load(open(tmp + "/vocabulary.json")); v[-1] = ""; json.dump(v, open(tmp + "/vocabulary.json", "w"), ensure_ascii=False)
assert ctranslate2.models.Whisper(tmp).is_multilingual
if os.path.isdir(out): shutil.rmtree(out + ".old", ignore_errors=True); os.rename(out, out + ".old")
os.rename(tmp, out); shutil.rmtree(out + ".old", ignore_errors=True); print(out, "step", ck.get("step"), "heads", heads)
