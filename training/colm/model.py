"""`ColmForCausalLM`: embedding, layers and the accumulating head, as a `transformers` model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from . import checkpoint
from .config import ColmConfig
from .layers import ChainEmbedding, ChainLayer, ChainNorm, ChainWeight, rotary_tables
from .loss import prefix_losses


@dataclass
class ColmOutput(CausalLMOutputWithPast):
    """`logits` of the chains asked for and, on request, `prefix_logits[k-1]` of every smaller model too."""

    prefix_logits: tuple[Tensor, ...] | None = None


class ColmPreTrainedModel(PreTrainedModel):
    """Initialisation shared by the body and the language model."""

    config_class = ColmConfig
    base_model_prefix = "model"
    _supports_sdpa = True

    def _init_weights(self, module: nn.Module):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=self.config.initializer_range)
        elif isinstance(module, ChainWeight):
            if module.weight.dim() == 2:
                nn.init.normal_(module.weight, std=self.config.initializer_range)
            else:
                nn.init.ones_(module.weight)


class ColmModel(ColmPreTrainedModel):
    """The body: tokens to final normed hidden vectors, for any number of chains."""

    def __init__(self, config: ColmConfig):
        super().__init__(config)
        self.embed_tokens = ChainEmbedding(config)
        self.layers = nn.ModuleList([ChainLayer(config, layer) for layer in range(config.num_hidden_layers)])
        self.norm = ChainNorm(config)
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        chains: int | None = None,
        positions: Tensor | None = None,
        attention_mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """`input_ids`: [B, T] -> [B, T, D_1+..+D_chains].

        `attention_mask` [B, S] is 0 at padding, over the cached and the new positions. With a cache, K and V of the
        new tokens are appended to it.
        """
        count, x, rotary, mask = self._start(input_ids, chains, positions, attention_mask, cache)
        for layer in self.layers:
            x = layer(x, count, rotary, mask, cache)
        return self.norm(x, count)

    def prefill(self, input_ids: Tensor, positions: Tensor | None, attention_mask: Tensor | None, cache: Cache):
        """CoLM-Air: writes the K and V of `input_ids` [B, T] through chain 1 alone; the last layer stops there."""
        count, x, rotary, mask = self._start(input_ids, 1, positions, attention_mask, cache)
        for layer in self.layers[:-1]:
            x = layer(x, count, rotary, mask, cache)
        last = self.layers[-1]
        last.self_attn.write(last.input_layernorm(x, count), rotary, cache)

    def _start(self, input_ids, chains, positions, attention_mask, cache):
        count = len(self.config.chains) if chains is None else chains
        if not 1 <= count <= len(self.config.chains):
            raise ValueError(f"chains must be 1...{len(self.config.chains)}, not {chains}")
        past = cache.get_seq_length() if cache is not None else 0
        length = input_ids.shape[1]
        if positions is None:
            positions = torch.arange(past, past + length, device=input_ids.device)[None]
        rotary = rotary_tables(positions, self.config.head_dim, self.config.rope_theta)
        mask = None
        if (past and length > 1) or (attention_mask is not None and not attention_mask.all()):
            rows = torch.arange(past, past + length, device=input_ids.device)[:, None]
            mask = (torch.arange(past + length, device=input_ids.device) <= rows)[None, None]
            if attention_mask is not None:
                readable = attention_mask[:, None, None, : past + length].bool()
                # A padding row reads itself: no row may be empty.
                own = torch.eye(past + length, dtype=torch.bool, device=input_ids.device)[past:]
                mask = mask & readable | own
        return count, self.embed_tokens(input_ids, count), rotary, mask


class ColmForCausalLM(ColmPreTrainedModel, GenerationMixin):
    """A chain language model; with `n = 1` a plain Llama-family decoder.

    >>> model = ColmForCausalLM.from_pretrained("Models/catena-fable-16m")
    >>> model(tokens, chains=2).logits          # the first two chains
    >>> model(tokens, prefixes=True).prefix_logits  # every smaller model in one pass
    """

    def __init__(self, config: ColmConfig):
        super().__init__(config)
        self.model = ColmModel(config)
        if not config.tie_word_embeddings:
            self.lm_head = ChainEmbedding(config)
        self.post_init()

    @classmethod
    def from_pretrained(cls, folder, *args, chains: int | None = None, **kwargs) -> ColmForCausalLM:
        """Loads a checkpoint; with `chains`, only the first `chains` files of a local folder."""
        if chains is None:
            return super().from_pretrained(folder, *args, **kwargs)
        return checkpoint.load_prefix(cls, Path(folder), chains, kwargs.get("dtype"))

    def save_pretrained(self, folder, dtype: torch.dtype | None = None, **_):
        """Writes config, index and one safetensors file a chain, in `dtype` (default: the weights' own)."""
        checkpoint.save(self, Path(folder), dtype)

    def head_weights(self, count: int) -> list[Tensor]:
        """The head's columns of the first `count` chains: [V, D_i] each."""
        table = self.model.embed_tokens if self.config.tie_word_embeddings else self.lm_head
        return table.weights(count)

    def prefix_logits(self, hidden: Tensor) -> list[Tensor]:
        """`hidden`: [..., D_1+..+D_k] -> k tensors [..., V]: the logits accumulate chain by chain."""
        logits: list[Tensor] = []
        start = 0
        while start < hidden.shape[-1]:
            weight = self.head_weights(len(logits) + 1)[-1]
            part = nn.functional.linear(hidden[..., start : start + weight.shape[1]], weight)
            logits.append(part if not logits else logits[-1] + part)
            start += weight.shape[1]
        return logits

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        labels: Tensor | None = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        chains: int | None = None,
        prefixes: bool = False,
        **_,
    ) -> ColmOutput:
        """Logits [B, T, V] of the first `chains` chains (default: all).

        `logits_to_keep = m > 0` gives the last `m` positions only; in CoLM-Air the positions before them then run
        through chain 1 alone, which is all the cache needs. `labels` [B, T] are the inputs (shifted here); -100 is
        ignored; the loss is that of the chains asked for.
        """
        cache = past_key_values
        length = input_ids.shape[1]
        kept = min(logits_to_keep or length, length)
        if cache is None and (use_cache or (kept < length and self.config.kv_sharing)):
            cache = DynamicCache()
        if self.config.kv_sharing and kept < length:
            first, last = (None, None) if position_ids is None else position_ids.split([length - kept, kept], dim=1)
            seen = None if attention_mask is None else attention_mask[:, : attention_mask.shape[1] - kept]
            self.model.prefill(input_ids[:, :-kept], first, seen, cache)
            hidden = self.model(input_ids[:, -kept:], chains, last, attention_mask, cache)
        else:
            hidden = self.model(input_ids, chains, position_ids, attention_mask, cache)[:, -kept:]
        logits = self.prefix_logits(hidden)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[-1][:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return ColmOutput(
            loss=loss,
            logits=logits[-1],
            past_key_values=cache if use_cache else None,
            prefix_logits=tuple(logits) if prefixes else None,
        )

    def losses(self, input_ids: Tensor, targets: Tensor, weights: list[float], distillation: float = 0.0):
        """Training loss over every prefix at once: see `loss.prefix_losses`. `input_ids`, `targets`: [B, T]."""
        hidden = self.model(input_ids)
        heads = self.head_weights(len(self.config.chains))
        return prefix_losses(hidden.flatten(0, 1), heads, targets.flatten(), weights, distillation)
