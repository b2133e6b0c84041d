"""The network of the mini Whisper: an ordinary Whisper with additional parts for training.

In addition to transformers' model there are: a CTC head over words on the encoder; a linear read-out of the place in the
window (so that the encoder's output keeps it); and one matrix that makes all 1501 timestamp rows out of the encoder's
own sinusoids, since token i and encoder position i mean the same 20 ms.
"""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
import vocabulary
from faster_whisper.feature_extractor import FeatureExtractor
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from transformers import WhisperConfig, WhisperForConditionalGeneration

WIDTH, ENCODER_LAYERS, DECODER_LAYERS, HEADS = 128, 3, 4, 4
FRAMES = 1500  # encoder frames of 20 ms in 30 s
CTC_ID = {word: index + 1 for index, word in enumerate(vocabulary.ALL)}
PERIODS = range(12, 48, 4)  # which of the sinusoids tell the place: 0.7 to 80 s
READS_LAST, READS_NEXT = (
    ((0, 0), (1, 0)),
    ((2, 0), (3, 0), (3, 1)),
)  # (layer, head) of the cross-attentions with a task of their own
warnings.filterwarnings("ignore", message=".*loss_type.*")


def sinusoids(count: int, width: int = WIDTH) -> Tensor:
    """Whisper's positional encoding, `(count, width)`."""
    rates = torch.exp(-math.log(10_000) / (width // 2 - 1) * torch.arange(width // 2))
    angles = torch.arange(count)[:, None] * rates[None]
    return torch.cat([angles.sin(), angles.cos()], 1)


SINUSOIDS = sinusoids(FRAMES + 1)
PLACES = torch.cat([SINUSOIDS[:FRAMES, list(PERIODS)], SINUSOIDS[:FRAMES, [WIDTH // 2 + p for p in PERIODS]]], 1)


class MiniWhisper(nn.Module):
    """Encoder `(batch, 80, frames)` → `(batch, frames / 2, 128)`; decoder token rows → logits."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        super().__init__()
        self.size, self.first_stamp = tokenizer.get_vocab_size(), tokenizer.token_to_id("<|0.00|>")
        special = {name: tokenizer.token_to_id(f"<|{name}|>") for name in ("startoftranscript", "endoftext")}
        self.config = WhisperConfig(
            vocab_size=self.size + 1,
            num_mel_bins=80,
            d_model=WIDTH,
            encoder_layers=ENCODER_LAYERS,
            decoder_layers=DECODER_LAYERS,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=4 * WIDTH,
            decoder_ffn_dim=4 * WIDTH,
            max_source_positions=FRAMES,
            max_target_positions=448,
            decoder_start_token_id=special["startoftranscript"],
            eos_token_id=special["endoftext"],
            bos_token_id=special["endoftext"],
            pad_token_id=special["endoftext"],
            dropout=0.05,
            suppress_tokens=[],
            begin_suppress_tokens=[],
            use_cache=False,
            attn_implementation="eager",
        )
        self.net = WhisperForConditionalGeneration(self.config)
        self.ctc = nn.Linear(WIDTH, len(CTC_ID) + 1)
        self.where = nn.Linear(WIDTH, PLACES.shape[1])
        scale = (
            self.embedding.weight[: self.first_stamp].norm(dim=1).mean().item() / SINUSOIDS.norm(dim=1).mean().item()
        )
        self.stamps = nn.Parameter(nn.init.orthogonal_(torch.empty(WIDTH, WIDTH)) * scale)

    @property
    def embedding(self) -> nn.Embedding:
        return self.net.model.decoder.embed_tokens

    def table(self) -> Tensor:
        """The token embeddings, timestamps made from the sinusoids."""
        rows = self.embedding.weight
        return torch.cat([rows[: self.first_stamp], SINUSOIDS @ self.stamps, rows[self.size :]])

    def encode(self, features: Tensor, offsets: list[int] | None = None) -> Tensor:
        """Encoder output; with `offsets`, each short window is taken for one that begins at that frame of the 1500."""
        encoder = self.net.model.encoder
        hidden = functional.gelu(encoder.conv2(functional.gelu(encoder.conv1(features)))).permute(0, 2, 1)
        places, length = encoder.embed_positions.weight, hidden.shape[1]
        shift = places[:length] if offsets is None else torch.stack([places[o : o + length] for o in offsets])
        hidden = functional.dropout(hidden + shift, 0.05, self.training)
        for layer in encoder.layers:
            hidden = _encoder_layer(layer, hidden, self.training)
        return encoder.layer_norm(hidden)

    def decode(self, tokens: Tensor, encoded: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Last hidden states, the table that turns them into logits, and the cross-attentions.

        Those are one `(rows, heads, tokens, frames)` a layer.
        """
        table = self.table()
        made = self.net.model.decoder(
            inputs_embeds=functional.embedding(tokens, table),
            encoder_hidden_states=encoded,
            output_attentions=True,
            use_cache=False,
        )
        return made.last_hidden_state, table, made.cross_attentions


def _encoder_layer(layer: Any, hidden: Tensor, training: bool) -> Tensor:
    """transformers' own layer, through torch's fast attention; the encoder's attention weights are not needed."""
    attention = layer.self_attn
    normed = layer.self_attn_layer_norm(hidden)
    heads = [
        p(normed).unflatten(-1, (HEADS, -1)).transpose(1, 2)
        for p in (attention.q_proj, attention.k_proj, attention.v_proj)
    ]
    mixed = functional.scaled_dot_product_attention(*heads).transpose(1, 2).flatten(2)
    hidden = hidden + functional.dropout(attention.out_proj(mixed), 0.05, training)
    inner = layer.fc2(functional.gelu(layer.fc1(layer.final_layer_norm(hidden))))
    return hidden + functional.dropout(inner, 0.05, training)


def save(net: MiniWhisper, path: Path, averaged: dict[str, Tensor] | None = None) -> None:
    """Keep the weights, and their running average, in half precision."""
    halves = {
        name: {k: v.half() for k, v in state.items()}
        for name, state in (("raw", net.state_dict()), ("averaged", averaged))
        if state
    }
    torch.save(halves, path)


def load(tokenizer: Tokenizer, path: Path, which: str = "raw") -> MiniWhisper:
    net = MiniWhisper(tokenizer)
    state = torch.load(path, weights_only=True)
    net.load_state_dict({k: v.float() for k, v in (state.get(which) or state["raw"]).items()})
    return net


_FILTERS = torch.from_numpy(FeatureExtractor().mel_filters)
_HANN = torch.from_numpy(np.hanning(401)[:-1].astype(np.float32))


def log_mel(samples: Tensor) -> Tensor:
    """`(batch, samples)` → log10 mel power `(batch, 80, samples / 160)`, as faster-whisper computes it before it clamps."""
    power = (
        torch.stft(functional.pad(samples, (0, 160)), 400, 160, window=_HANN, return_complex=True)[..., :-1].abs() ** 2
    )
    return torch.clamp(_FILTERS @ power, min=1e-10).log10()[..., :-1]
