"""`generate` with a cache of chain 1 alone."""

from __future__ import annotations

import pytest
import torch


@torch.no_grad()
def greedy(model, tokens, chains, length):
    """Token by token without a cache."""
    for _ in range(length):
        best = model(tokens, chains=chains).logits[:, -1].argmax(-1, keepdim=True)
        tokens = torch.cat([tokens, best], dim=1)
    return tokens


def test_greedy_equals_cacheless_for_every_chain_count(model, tokens):
    model.generation_config.eos_token_id = None
    for k in range(1, len(model.config.chains) + 1):
        out = model.generate(
            tokens, attention_mask=torch.ones_like(tokens), max_new_tokens=8, do_sample=False, chains=k, pad_token_id=0
        )
        assert out.tolist() == greedy(model, tokens, k, 8).tolist()


@torch.no_grad()
def test_left_padding_changes_nothing(model, tokens):
    expected = model(tokens[:1]).logits[:, -1]
    padded = torch.cat([torch.zeros(1, 5, dtype=torch.long), tokens[:1]], dim=1)
    mask = torch.cat([torch.zeros(1, 5, dtype=torch.long), torch.ones_like(tokens[:1])], dim=1)
    positions = (mask.cumsum(-1) - 1).clamp(min=0)
    for keep in (0, 1):
        out = model(padded, attention_mask=mask, position_ids=positions, logits_to_keep=keep).logits[:, -1]
        torch.testing.assert_close(out, expected, rtol=0, atol=2e-5)


@torch.no_grad()
def test_a_wrong_chain_count_is_refused(model, tokens):
    for chains in (0, len(model.config.chains) + 1):
        with pytest.raises(ValueError, match="chains must be"):
            model(tokens, chains=chains)
