"""The shape of a CoLM or CoLM-Air model: Llama's keys plus `chains` and `kv_sharing`."""

from __future__ import annotations

from huggingface_hub.dataclasses import strict
from transformers import PreTrainedConfig


@strict
class ColmConfig(PreTrainedConfig):
    """A chain model's shape.

    `chains[i]` counts the query heads of chain `i`; they sum to `num_attention_heads`. Chain `i` has the width
    `D_i = chains[i] * head_dim` and the feed-forward width `F_i = intermediate_size * chains[i] / heads`.
    `kv_sharing` is true for CoLM-Air, whose K and V come from chain 1 alone.
    """

    model_type = "colm"
    keys_to_ignore_at_inference = ["past_key_values"]

    vocab_size: int = 4096
    hidden_size: int = 512
    intermediate_size: int = 1408
    num_hidden_layers: int = 8
    num_attention_heads: int = 16
    num_key_value_heads: int | None = None
    head_dim: int | None = None
    chains: list[int] | None = None
    kv_sharing: bool = True
    hidden_act: str = "silu"
    max_position_embeddings: int = 512
    initializer_range: float = 0.02
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    use_cache: bool = True
    pad_token_id: int | None = None
    bos_token_id: int | None = 0
    eos_token_id: int | list[int] | None = 0
    tie_word_embeddings: bool = True

    def __post_init__(self, **kwargs):
        if self.chains is None:
            self.chains = [self.num_attention_heads]
        if self.head_dim is None:
            self.head_dim = self.hidden_size // self.num_attention_heads
        if self.num_key_value_heads is None:
            self.num_key_value_heads = self.chains[0] if self.kv_sharing else self.num_attention_heads
        super().__post_init__(**kwargs)

    def validate_architecture(self):
        """Part of `@strict`'s validation: says which number does not fit which."""
        heads, kv_heads = self.num_attention_heads, self.num_key_value_heads
        if not self.chains or min(self.chains) < 1 or sum(self.chains) != heads:
            raise ValueError(f"chains {self.chains} must be positive and sum to num_attention_heads {heads}")
        if self.head_dim * heads != self.hidden_size:
            raise ValueError(f"head_dim {self.head_dim} * heads {heads} must be hidden_size {self.hidden_size}")
        if self.head_dim % 2:
            raise ValueError(f"head_dim {self.head_dim} must be even: RoPE turns pairs")
        if self.hidden_act != "silu":
            raise ValueError(f"hidden_act {self.hidden_act!r} must be 'silu'")
        for count in self.chains:
            if self.intermediate_size * count % heads:
                raise ValueError(f"intermediate_size {self.intermediate_size} * {count} must divide by heads {heads}")
            if self.kv_sharing and count % kv_heads:
                raise ValueError(f"chain of {count} heads must be a multiple of num_key_value_heads {kv_heads}")
            if not self.kv_sharing and (heads % kv_heads or count % (heads // kv_heads)):
                raise ValueError(f"chain of {count} heads must be whole groups of {heads} / {kv_heads} heads")

    @property
    def widths(self) -> list[int]:
        """Hidden width `D_i` of each chain."""
        return [count * self.head_dim for count in self.chains]

    @property
    def feed_forward_widths(self) -> list[int]:
        """Feed-forward width `F_i` of each chain."""
        return [self.intermediate_size * count // self.num_attention_heads for count in self.chains]

    @property
    def key_value_heads(self) -> list[int]:
        """K/V heads that each chain owns; in CoLM-Air chain 1 owns them all."""
        if self.kv_sharing:
            return [self.num_key_value_heads] + [0] * (len(self.chains) - 1)
        return [count * self.num_key_value_heads // self.num_attention_heads for count in self.chains]

    def prefix(self, count: int) -> ColmConfig:
        """The config of the complete smaller model that the first `count` chains are."""
        if not 1 <= count <= len(self.chains):
            raise ValueError(f"chains must be 1...{len(self.chains)}, not {count}")
        values = self.to_dict()
        heads = sum(self.chains[:count])
        values.update(
            chains=self.chains[:count],
            num_attention_heads=heads,
            hidden_size=heads * self.head_dim,
            intermediate_size=sum(self.feed_forward_widths[:count]),
            num_key_value_heads=sum(self.key_value_heads[:count]),
        )
        return type(self).from_dict(values)
