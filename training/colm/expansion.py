"""Chain expansion and chain tuning: a trained model stays as it is, new chains are trained on top of it."""

from __future__ import annotations

import torch

from .checkpoint import chain_of
from .config import ColmConfig
from .model import ColmForCausalLM


def expand(base: ColmForCausalLM, added: list[int]) -> ColmForCausalLM:
    """`base` with chains of `added` query heads after its own.

    The base's tensors are copied, so its logits stay those of the first chains and its K/V stay valid. New chains
    start random, their head columns zero: at step 0 the whole model gives the base's logits. With tied tables the new
    embedding columns are the new head columns, so both start at zero.
    """
    old = base.config
    heads = old.num_attention_heads + sum(added)
    if old.intermediate_size * heads % old.num_attention_heads:
        raise ValueError(f"intermediate_size {old.intermediate_size} does not scale to {heads} heads")
    values = old.to_dict()
    values.update(
        chains=[*old.chains, *added],
        num_attention_heads=heads,
        hidden_size=heads * old.head_dim,
        intermediate_size=old.intermediate_size * heads // old.num_attention_heads,
    )
    if not old.kv_sharing:
        values["num_key_value_heads"] = old.num_key_value_heads * heads // old.num_attention_heads
    model = ColmForCausalLM(ColmConfig.from_dict(values))
    model.load_state_dict(base.state_dict(), strict=False)
    with torch.no_grad():
        for weight in model.head_weights(len(model.config.chains))[len(old.chains) :]:
            weight.zero_()
    return model


def freeze(model: ColmForCausalLM, chains: int):
    """Stops training of the first `chains` chains (K and V of CoLM-Air belong to the first)."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(chain_of(name) > chains)
