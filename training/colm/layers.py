"""The parts of a decoder layer: per-chain norm, attention, feed-forward."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.cache_utils import Cache

from . import pointwise
from .chain_linear import ChainLinear
from .config import ColmConfig


class ChainWeight(nn.Module):
    """A bare parameter named `weight`."""

    def __init__(self, *shape: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(*shape))


class ChainNorm(nn.Module):
    """RMSNorm over each chain separately: the mean square is taken over that chain's `D_i` columns."""

    def __init__(self, config: ColmConfig):
        super().__init__()
        self.widths = config.widths
        self.eps = config.rms_norm_eps
        self.chains = nn.ModuleDict({str(i + 1): ChainWeight(width) for i, width in enumerate(config.widths)})

    def forward(self, x: Tensor, count: int) -> Tensor:
        """`x`: [..., D_1+..+D_count] -> the same shape."""
        weight = torch.cat([self.chains[str(i + 1)].weight for i in range(count)])
        return pointwise.normalise(x, weight, self.widths[:count], self.eps)


class ChainEmbedding(nn.Module):
    """A table [V, D] by columns: chain `i` owns `D_i` of them. The head has the same shape."""

    def __init__(self, config: ColmConfig):
        super().__init__()
        self.chains = nn.ModuleDict(
            {str(i + 1): ChainWeight(config.vocab_size, width) for i, width in enumerate(config.widths)}
        )

    def weights(self, count: int) -> list[Tensor]:
        """The first `count` chains' columns: [V, D_i] each."""
        return [self.chains[str(i + 1)].weight for i in range(count)]

    def forward(self, tokens: Tensor, count: int) -> Tensor:
        """`tokens`: [B, T] -> [B, T, D_1+..+D_count]."""
        return torch.cat([F.embedding(tokens, weight) for weight in self.weights(count)], dim=-1)


def rotary_tables(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines of RoPE (Llama's rotate-half pairing) for `positions` [B, T]: [B, T, 1, head_dim]."""
    exponents = torch.arange(0, head_dim, 2, dtype=torch.float32, device=positions.device) / head_dim
    angles = positions.float()[..., None, None] * theta**-exponents
    sines = angles.sin()
    return torch.cat([angles.cos()] * 2, dim=-1), torch.cat([-sines, sines], dim=-1)


class ChainAttention(nn.Module):
    """Causal attention; every head belongs to one chain.

    CoLM-Air: K and V are dense in chain 1, and query head `j` reads K/V head `j mod H_kv`. Plain CoLM: chain linears,
    and query head `j` reads K/V head `j div (H / H_kv)`.
    """

    def __init__(self, config: ColmConfig, layer: int):
        super().__init__()
        self.config, self.layer = config, layer
        widths, head_dim = config.widths, config.head_dim
        self.q_proj = ChainLinear(widths, widths)
        self.o_proj = ChainLinear(widths, widths)
        if config.kv_sharing:
            kv_width = config.num_key_value_heads * head_dim
            self.k_proj = nn.Linear(widths[0], kv_width, bias=False)
            self.v_proj = nn.Linear(widths[0], kv_width, bias=False)
        else:
            kv_widths = [heads * head_dim for heads in config.key_value_heads]
            self.k_proj = ChainLinear(widths, kv_widths)
            self.v_proj = ChainLinear(widths, kv_widths)

    def forward(self, x: Tensor, rotary: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None) -> Tensor:
        """`x`: normed [B, T, D_1+..+D_k] -> the same shape. `mask`: [B, 1, T, S], true where a key may be read."""
        keys, values = self.write(x, rotary, cache)
        batch, length = x.shape[:2]
        queries = pointwise.rotate(self._heads(self.q_proj(x)), *rotary).transpose(1, 2)
        groups = queries.shape[1] // keys.shape[1]
        if groups > 1:
            if self.config.kv_sharing:
                keys, values = keys.repeat(1, groups, 1, 1), values.repeat(1, groups, 1, 1)
            else:
                keys, values = keys.repeat_interleave(groups, 1), values.repeat_interleave(groups, 1)
        out = F.scaled_dot_product_attention(queries, keys, values, mask, is_causal=mask is None and length > 1)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))

    def write(self, x: Tensor, rotary: tuple[Tensor, Tensor], cache: Cache | None) -> tuple[Tensor, Tensor]:
        """K (after RoPE) and V of `x`, appended to the cache; both [B, K/V heads, S, head_dim]."""
        source = x[..., : self.config.widths[0]] if self.config.kv_sharing else x
        keys = pointwise.rotate(self._heads(self.k_proj(source)), *rotary).transpose(1, 2)
        values = self._heads(self.v_proj(source)).transpose(1, 2)
        return (keys, values) if cache is None else cache.update(keys, values, self.layer)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (-1, self.config.head_dim))


class ChainFeedForward(nn.Module):
    """SwiGLU, all three of its matrices chain linears."""

    def __init__(self, config: ColmConfig):
        super().__init__()
        widths, inner = config.widths, config.feed_forward_widths
        self.gate_proj = ChainLinear(widths, inner)
        self.up_proj = ChainLinear(widths, inner)
        self.down_proj = ChainLinear(inner, widths)

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D_1+..+D_k] -> the same shape."""
        return self.down_proj(pointwise.gate(self.gate_proj(x), self.up_proj(x)))


class ChainLayer(nn.Module):
    """Attention and feed-forward with their norms and residual sums, as in Llama."""

    def __init__(self, config: ColmConfig, layer: int):
        super().__init__()
        self.self_attn = ChainAttention(config, layer)
        self.mlp = ChainFeedForward(config)
        self.input_layernorm = ChainNorm(config)
        self.post_attention_layernorm = ChainNorm(config)

    def forward(
        self, x: Tensor, count: int, rotary: tuple[Tensor, Tensor], mask: Tensor | None, cache: Cache | None
    ) -> Tensor:
        """[B, T, D_1+..+D_count] -> the same shape."""
        x = x + self.self_attn(self.input_layernorm(x, count), rotary, mask, cache)
        return x + self.mlp(self.post_attention_layernorm(x, count))
