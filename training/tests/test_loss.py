"""The fused multi-prefix loss against the same loss written plainly."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from conftest import make_config

from colm import ColmForCausalLM
from colm.loss import prefix_losses


def plain_loss(logits, targets, weights, distillation):
    """The definition in the docstring of `prefix_losses`, with whole logits."""
    teacher = logits[-1].detach().softmax(-1)
    total = torch.zeros((), dtype=logits[0].dtype)
    for k, (part, weight) in enumerate(zip(logits, weights, strict=True)):
        share = distillation if k < len(logits) - 1 else 0.0
        total = total + weight * (1 - share) * F.cross_entropy(part, targets)
        total = total + weight * share * F.cross_entropy(part, teacher)
    return total


@pytest.mark.parametrize("distillation", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("weights", [[0.2, 0.2, 0.6], [0.0, 0.5, 0.5]])
@pytest.mark.parametrize("tied", [True, False])
def test_value_and_gradients(distillation, weights, tied):
    model = ColmForCausalLM(make_config([2, 4, 2], 2, tie_word_embeddings=tied)).double()
    tokens = torch.randint(0, 48, (9, 34))  # 297 rows: more than one chunk
    inputs, targets = tokens[:, :-1], tokens[:, 1:]
    objective, losses = model.losses(inputs, targets, weights, distillation)
    (2 * objective).backward()
    got = {name: parameter.grad.clone() for name, parameter in model.named_parameters()}
    model.zero_grad()
    logits = [part.flatten(0, 1) for part in model(inputs, prefixes=True).prefix_logits]
    expected = plain_loss(logits, targets.flatten(), weights, distillation)
    (2 * expected).backward()
    torch.testing.assert_close(objective, expected)
    for k, part in enumerate(logits):
        torch.testing.assert_close(losses[k], F.cross_entropy(part, targets.flatten()))
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(got[name], parameter.grad, rtol=1e-9, atol=1e-12, msg=name)


def test_bf16_autocast_is_close():
    hidden, targets = torch.randn(40, 24), torch.randint(0, 50, (40,))
    heads = [torch.randn(50, 8), torch.randn(50, 16)]
    exact, _ = prefix_losses(hidden, heads, targets, [0.5, 0.5])
    with torch.autocast("cpu", torch.bfloat16):
        rounded, _ = prefix_losses(hidden, heads, targets, [0.5, 0.5])
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded, exact, rtol=0.02, atol=0)


def test_labels_give_the_loss_of_the_chains_asked_for():
    model = ColmForCausalLM(make_config([2, 2], 2))
    tokens = torch.randint(0, 48, (2, 10))
    out = model(tokens, labels=tokens, chains=1)
    expected = F.cross_entropy(out.logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    torch.testing.assert_close(out.loss, expected)
