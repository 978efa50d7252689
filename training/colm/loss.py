"""The multi-prefix loss: cross-entropy of every chain count in one pass, a chunk of rows at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor


def prefix_losses(
    hidden: Tensor, heads: Sequence[Tensor], targets: Tensor, weights: Sequence[float], distillation: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Weighted mean loss of all prefixes, and each prefix's own cross-entropy.

    `hidden`: [M, D]; `heads`: n of [V, D_i]; `targets`: [M]; `weights`: n. Prefix `k < n` adds
    `weights[k] * ((1 - distillation) * CE(targets) + distillation * CE(softmax of the full model))`, the full model's
    side taken as constant. Returns (scalar with gradient, [n] in nats without).
    """
    if torch.is_autocast_enabled(hidden.device.type):
        dtype = torch.get_autocast_dtype(hidden.device.type)
        hidden, heads = hidden.to(dtype), [head.to(dtype) for head in heads]
    return _PrefixLoss.apply(hidden, targets, tuple(weights), distillation, *heads)


class _PrefixLoss(torch.autograd.Function):
    """Works out loss and gradient in the forward pass, so that n full sets of logits [M, V] never exist at once."""

    ROWS: ClassVar = {"cpu": 256, "cuda": 4096}

    @staticmethod
    def forward(ctx, hidden, targets, weights, distillation, *heads):
        count, total = len(heads), hidden.shape[0]
        ends = torch.tensor([head.shape[1] for head in heads]).cumsum(0).tolist()
        slices = [slice(end - head.shape[1], end) for end, head in zip(ends, heads, strict=True)]
        d_hidden = torch.empty_like(hidden)
        precision = torch.promote_types(hidden.dtype, torch.float32)
        d_heads = [torch.zeros_like(head, dtype=precision) for head in heads]
        losses = hidden.new_zeros(count, dtype=precision)
        objective = hidden.new_zeros((), dtype=precision)
        rows = _PrefixLoss.ROWS.get(hidden.device.type, 1024)
        for start in range(0, total, rows):
            h, target = hidden[start : start + rows], targets[start : start + rows, None]
            log_probabilities = []
            logits = None
            for head, columns in zip(heads, slices, strict=True):
                part = (h[:, columns] @ head.t()).to(precision)
                logits = part if logits is None else logits.add_(part)
                log_probabilities.append(logits.log_softmax(-1))
            teacher = log_probabilities[-1].exp()
            gradient = None
            for k in reversed(range(count)):
                log_p, own = log_probabilities[k], k == count - 1
                share = 0.0 if own else distillation
                nll = -log_p.gather(1, target).sum() / total
                losses[k] += nll
                objective += weights[k] * (1 - share) * nll
                if share:
                    objective -= weights[k] * share * torch.dot(teacher.flatten(), log_p.flatten()) / total
                # d CE / d logits = p - target, where the target mixes the token and the full model's distribution.
                p = teacher.clone() if own else log_p.exp_()
                p.scatter_add_(1, target, torch.full_like(target, share - 1, dtype=p.dtype))
                if share:
                    p.sub_(teacher, alpha=share)
                # The head of chain k feeds every prefix from k on: k runs downwards and the gradient adds up.
                scale = weights[k] / total
                gradient = p.mul_(scale) if gradient is None else gradient.add_(p, alpha=scale)
                rounded = gradient.to(h.dtype)
                d_hidden[start : start + rows, slices[k]] = rounded @ heads[k]
                d_heads[k] += rounded.t() @ h[:, slices[k]]
        ctx.save_for_backward(d_hidden, *d_heads)
        ctx.head_dtype = heads[0].dtype
        ctx.mark_non_differentiable(losses)
        return objective, losses

    @staticmethod
    def backward(ctx, d_objective, _):
        d_hidden, *d_heads = ctx.saved_tensors
        scaled = [(gradient * d_objective).to(ctx.head_dtype) for gradient in d_heads]
        return d_hidden * d_objective, None, None, None, *scaled
