"""Test (e): one chain is a Llama of the same weights."""

from __future__ import annotations

import pytest
import torch
from conftest import make_config, randomised
from transformers import LlamaConfig, LlamaForCausalLM

from colm import ColmForCausalLM


@pytest.mark.parametrize("kv_heads", [4, 2, 1])
@pytest.mark.parametrize("kv_sharing", [True, False])
@pytest.mark.parametrize("tied", [True, False])
@torch.no_grad()
def test_e_one_chain_is_a_llama(kv_heads, kv_sharing, tied):
    config = make_config([4], kv_heads, kv_sharing=kv_sharing, tie_word_embeddings=tied, rope_theta=500.0)
    model = randomised(ColmForCausalLM(config))
    keys = (
        "vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim "
        "max_position_embeddings rms_norm_eps tie_word_embeddings"
    )
    shape = {key: getattr(config, key) for key in keys.split()}
    llama = LlamaForCausalLM(LlamaConfig(**shape, rope_parameters={"rope_type": "default", "rope_theta": 500.0})).eval()
    weights = {name.replace(".chains.1", ""): tensor for name, tensor in model.state_dict().items()}
    if kv_sharing:
        # CoLM-Air tiles K/V heads; Llama's groups are consecutive: permute the query heads.
        groups = 4 // kv_heads
        order = torch.tensor([group * kv_heads + head for head in range(kv_heads) for group in range(groups)])
        for layer in range(config.num_hidden_layers):
            prefix = f"model.layers.{layer}.self_attn."
            q, o = weights[prefix + "q_proj.weight"], weights[prefix + "o_proj.weight"]
            weights[prefix + "q_proj.weight"] = q.unflatten(0, (4, -1))[order].flatten(0, 1)
            weights[prefix + "o_proj.weight"] = o.unflatten(1, (4, -1))[:, order].flatten(1, 2)
    missing, unexpected = llama.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}
    llama.tie_weights()
    tokens = torch.randint(0, config.vocab_size, (2, 33))
    torch.testing.assert_close(model(tokens).logits, llama(tokens).logits, rtol=0, atol=2e-5)
