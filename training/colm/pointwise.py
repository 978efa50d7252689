"""The memory-bound operations between the products."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def normalise(x: Tensor, weight: Tensor, widths: Sequence[int], eps: float) -> Tensor:
    """RMSNorm of each chain's columns: `x` [..., D_1+..+D_k], `weight` [D_1+..+D_k]."""
    if len(set(widths)) == 1:
        return F.rms_norm(x.unflatten(-1, (-1, widths[0])), widths[:1], None, eps).flatten(-2) * weight
    return torch.cat([F.rms_norm(part, part.shape[-1:], None, eps) for part in x.split(widths, -1)], -1) * weight


def rotate(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """Turns each pair (x_j, x_{j + head_dim/2}) of `x` [B, T, heads, head_dim] by its position's angle."""
    return (x * cosines + x.roll(x.shape[-1] // 2, dims=-1) * sines).to(x.dtype)


def gate(gated: Tensor, up: Tensor) -> Tensor:
    """SwiGLU's elementwise part; both [..., F_1+..+F_k]."""
    return F.silu(gated) * up
