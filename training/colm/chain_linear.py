"""The chain linear `y_i = W_i x_{<=i}`: a dense matrix with a block-lower-triangular mask, without the masked work."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor, nn


class ChainLinear(nn.Module):
    """One weight `[out_i, in_1+..+in_i]` a chain, no bias.

    The first `k` chains are a complete smaller linear: give it an input of `in_1+..+in_k` columns and it gives
    `out_1+..+out_k`. `out_i` may be 0 at the end (CoLM-Air's K and V): such a chain has no weight.
    """

    def __init__(self, in_widths: Sequence[int], out_widths: Sequence[int]):
        super().__init__()
        self.in_ends = list(accumulate(in_widths))
        self.chains = nn.ModuleDict(
            {
                str(i + 1): nn.Linear(end, out, bias=False)
                for i, (end, out) in enumerate(zip(self.in_ends, out_widths, strict=True))
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """`x`: [..., in_1+..+in_k] for any k -> [..., out_1+..+out_k]."""
        count = self.in_ends.index(x.shape[-1]) + 1
        weights = [self.chains[str(i + 1)].weight for i in range(count)]
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            x, weights = x.to(dtype), [weight.to(dtype) for weight in weights]
        y = _ChainMatmul.apply(x.reshape(-1, x.shape[-1]), *weights)
        return y.view(*x.shape[:-1], y.shape[-1])


class _ChainMatmul(torch.autograd.Function):
    """`x` [M, in], weights `W_i` [out_i, in_1+..+in_i] -> [M, out].

    Each chain is one product of the contiguous input prefix, written in place, so no FLOP is spent on the mask and
    autograd has no zero-padded slices to add up.
    """

    @staticmethod
    def forward(ctx, x: Tensor, *weights: Tensor) -> Tensor:
        ctx.save_for_backward(x, *weights)
        y = x.new_empty(x.shape[0], sum(weight.shape[0] for weight in weights))
        start = 0
        for weight in weights:
            out, end = weight.shape
            torch.mm(x[:, :end], weight.t(), out=y[:, start : start + out])
            start += out
        return y

    @staticmethod
    def backward(ctx, dy: Tensor):
        x, *weights = ctx.saved_tensors
        dy = dy.contiguous()
        dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
        # Packed [out, in]; the blocks above the diagonal are never read.
        packed = dy.new_empty(dy.shape[1], x.shape[1])
        gradients: list[Tensor | None] = []
        start, in_starts = 0, [0, *(weight.shape[1] for weight in weights)]
        out_starts = []
        for index, weight in enumerate(weights):
            out, end = weight.shape
            packed[start : start + out, :end] = weight
            needed = ctx.needs_input_grad[1 + index]
            gradients.append(dy[:, start : start + out].t() @ x[:, :end] if needed else None)
            out_starts.append(start)
            start += out
        if dx is not None:
            for begin, end, out_start in zip(in_starts, in_starts[1:], out_starts, strict=False):
                torch.mm(dy[:, out_start:], packed[out_start:, begin:end], out=dx[:, begin:end])
        return dx, *gradients
