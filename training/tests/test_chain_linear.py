"""The chain linear against the masked dense product it stands for."""

from __future__ import annotations

import torch

from colm.chain_linear import ChainLinear


def dense(layer: ChainLinear, outs: list[int]) -> torch.Tensor:
    """[out, in] with zeros above the block diagonal."""
    matrix = torch.zeros(sum(outs), layer.in_ends[-1], dtype=torch.float64)
    start = 0
    for linear, out in zip(layer.chains.values(), outs, strict=True):
        matrix[start : start + out, : linear.weight.shape[1]] = linear.weight.detach()
        start += out
    return matrix


def test_output_equals_the_masked_dense_product_for_every_prefix():
    ins, outs = [3, 5, 2], [4, 1, 6]
    layer = ChainLinear(ins, outs).double()
    x = torch.randn(7, 2, 10, dtype=torch.float64)
    full = x @ dense(layer, outs).T
    for k in (1, 2, 3):
        torch.testing.assert_close(layer(x[..., : sum(ins[:k])]), full[..., : sum(outs[:k])])


def test_gradients():
    layer = ChainLinear([3, 5, 2], [4, 1, 6]).double()
    x = torch.randn(4, 10, dtype=torch.float64, requires_grad=True)
    names = list(dict(layer.named_parameters()))

    def run(x, *weights):
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), x)

    weights = [weight.detach().requires_grad_() for weight in layer.parameters()]
    assert torch.autograd.gradcheck(run, (x, *weights))


def test_frozen_weights_get_no_gradient():
    layer = ChainLinear([3, 3], [2, 2])
    layer.chains["1"].weight.requires_grad_(False)
    layer(torch.randn(5, 6)).sum().backward()
    assert layer.chains["1"].weight.grad is None
    assert layer.chains["2"].weight.grad is not None
