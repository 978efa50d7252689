"""Test (f): expansion keeps the base model, and tuning later chains keeps it too."""

from __future__ import annotations

import pytest
import torch
from conftest import make_config, randomised

from colm import ColmForCausalLM
from colm.expansion import expand, freeze


@pytest.mark.parametrize(
    "base",
    [
        make_config([4], 2, tie_word_embeddings=False),
        make_config([2], 1),
        make_config([2, 4], 2),
        make_config([4], 2, kv_sharing=False, tie_word_embeddings=False),
    ],
    ids=["llama", "gqa-tied", "air", "colm"],
)
@torch.no_grad()
def test_f_expanded_model_gives_the_bases_logits_at_step_0(base):
    base = randomised(ColmForCausalLM(base))
    model = expand(base, [4, 2]).eval()
    tokens = torch.randint(0, 48, (2, 20))
    expected = base(tokens).logits
    old = len(base.config.chains)
    for logits in model(tokens, prefixes=True).prefix_logits[old - 1 :]:
        torch.testing.assert_close(logits, expected, rtol=0, atol=2e-5)
    assert model.config.chains == [*base.config.chains, 4, 2]


def test_tuning_later_chains_leaves_the_base_and_lowers_the_loss():
    base = randomised(ColmForCausalLM(make_config([2], 2)))
    model = expand(base, [2, 2])
    freeze(model, 1)
    tokens = torch.randint(0, 48, (4, 17))
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    history = []
    for _ in range(20):
        objective, losses = model.losses(tokens[:, :-1], tokens[:, 1:], [0.0, 0.5, 0.5])
        optimizer.zero_grad()
        objective.backward()
        optimizer.step()
        history.append(losses.tolist())
    assert history[-1][0] == history[0][0]
    assert history[-1][1] < history[0][1] and history[-1][2] < history[-1][1]
    with torch.no_grad():
        torch.testing.assert_close(model(tokens, chains=1).logits, base(tokens).logits, rtol=0, atol=1e-6)
