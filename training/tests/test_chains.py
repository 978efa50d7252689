"""Tests (a), (b), (c), (d) and (g) of the model's specification: what chains promise."""

from __future__ import annotations

import pytest
import torch
from conftest import make_config
from torch import nn
from transformers import DynamicCache

from colm import ColmForCausalLM
from colm.chain_linear import ChainLinear


@torch.no_grad()
def test_a_chains_alone_equal_the_prefix_of_the_full_pass(model, tokens):
    prefixes = model(tokens, prefixes=True).prefix_logits
    assert len(prefixes) == len(model.config.chains)
    for k, expected in enumerate(prefixes, start=1):
        torch.testing.assert_close(model(tokens, chains=k).logits, expected, rtol=0, atol=2e-5)
    for lower, upper in zip(prefixes, prefixes[1:], strict=False):
        assert (lower - upper).abs().max() > 0.1, "a chain that adds nothing proves nothing"


@torch.no_grad()
def test_b_upper_chains_leave_lower_ones_alone(model):
    widths = model.config.widths
    x = torch.randn(2, 9, sum(widths))
    positions = torch.arange(9)[None]
    from colm.layers import rotary_tables

    rotary = rotary_tables(positions, model.config.head_dim, model.config.rope_theta)
    layer = model.model.layers[0]
    before = layer(x, len(widths), rotary, None, None)
    for i in range(1, len(widths)):
        changed = x.clone()
        end = sum(widths[:i])
        changed[..., end:] = torch.randn_like(changed[..., end:])
        after = layer(changed, len(widths), rotary, None, None)
        assert torch.equal(after[..., :end], before[..., :end])
        assert not torch.allclose(after[..., end:], before[..., end:])


@torch.no_grad()
def test_c_cache_is_the_same_for_every_chain_count(model, tokens):
    if not model.config.kv_sharing:
        pytest.skip("plain CoLM keeps K and V of every chain")
    caches = []
    for k in range(1, len(model.config.chains) + 1):
        cache = DynamicCache()
        model(tokens, past_key_values=cache, chains=k)
        caches.append(cache)
    for cache in caches[1:]:
        for layer, first in zip(cache.layers, caches[0].layers, strict=True):
            torch.testing.assert_close(layer.keys, first.keys, rtol=0, atol=1e-6)
            torch.testing.assert_close(layer.values, first.values, rtol=0, atol=1e-6)
    width = caches[0].layers[0].keys.shape[1] * caches[0].layers[0].keys.shape[3]
    assert width == model.config.num_key_value_heads * model.config.head_dim


@torch.no_grad()
def test_d_chain_one_prefill_then_decode_equals_one_forward(model, tokens):
    for k in range(1, len(model.config.chains) + 1):
        expected = model(tokens, chains=k).logits
        cache = DynamicCache()
        parts = [model(tokens[:, :12], past_key_values=cache, chains=k, logits_to_keep=1).logits]
        parts += [model(tokens[:, t : t + 1], past_key_values=cache, chains=k).logits for t in range(12, 16)]
        parts.append(model(tokens[:, 16:], past_key_values=cache, chains=k).logits)
        torch.testing.assert_close(torch.cat(parts, dim=1), expected[:, 11:], rtol=0, atol=2e-5)


@torch.no_grad()
def test_d_prefill_runs_no_upper_chain():
    model = ColmForCausalLM(make_config([2, 2], 2)).eval()
    upper_rows = []
    for layer in model.model.layers:
        layer.mlp.register_forward_hook(lambda _, x, y: upper_rows.append((y.shape[1], y.shape[2])))
    model(torch.randint(0, 48, (1, 20)), logits_to_keep=1)
    width = model.config.hidden_size
    # Layer 1 prefills 19 rows at chain 1's width; layer 2 stops at K and V; then the last row at full width.
    assert upper_rows == [(19, width // 2), (1, width), (1, width)]


@torch.no_grad()
def test_switching_size_at_every_token_equals_fresh_passes():
    model = ColmForCausalLM(make_config([2, 2, 2], 2)).eval()
    tokens = torch.randint(0, 48, (1, 12))
    cache = DynamicCache()
    for t in range(12):
        k = t % 3 + 1
        got = model(tokens[:, t : t + 1], past_key_values=cache, chains=k).logits[:, -1]
        torch.testing.assert_close(got, model(tokens[:, : t + 1], chains=k).logits[:, -1], rtol=0, atol=2e-5)


class ChainClassifier(nn.Module):
    """The CIFAR MLP of the paper's appendix: a biased dense layer into the chains and one out of them.

    With one chain it is the paper's dense baseline, whose inner layers are biased too.
    """

    def __init__(self, chains: list[int]):
        super().__init__()
        total = sum(chains)
        widths = [[width * part // total for part in chains] for width in (768, 1024, 512, 256)]
        self.first = nn.Linear(3072, 768)
        self.body = nn.ModuleList(ChainLinear(a, b) for a, b in zip(widths, widths[1:], strict=False))
        if len(chains) == 1:
            self.biases = nn.ParameterList(torch.zeros(b[0]) for b in widths[1:])
        self.last = nn.Linear(256, 10)


@pytest.mark.parametrize(
    ("chains", "count"),
    [([16], 3_806_218), ([4] * 4, 3_263_754), ([8, 8], 3_443_978), ([4, 12], 3_534_090), ([4, 4, 8], 3_353_866)],
)
def test_g_parameter_counts_of_the_paper(chains, count):
    assert sum(parameter.numel() for parameter in ChainClassifier(chains).parameters()) == count
