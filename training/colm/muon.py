"""Muon: momentum orthogonalised by a Newton-Schulz iteration, for the 2-D matrices of the body."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

import torch
from torch import Tensor


class Muon(torch.optim.Optimizer):
    """Each matrix moves along the nearest orthogonal matrix to its Nesterov momentum.

    A chain's `W_i` is one matrix. Up to `BATCH` matrices of one shape are orthogonalised together; `mapping` is `map`
    or an executor's, for several batches at once. The step of a matrix
    [m, n] is `lr * sqrt(max(1, m / n))`; weight decay is decoupled.
    """

    BATCH = 4

    def __init__(
        self,
        params,
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        steps: int = 5,
        mapping: Callable = map,
    ):
        self.mapping = mapping
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay, steps=steps))

    @torch.no_grad()
    def step(self, closure=None):
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for parameter in group["params"]:
                if parameter.grad is not None:
                    shapes[parameter.shape].append(parameter)
            batches = [
                same[start : start + self.BATCH]
                for same in shapes.values()
                for start in range(0, len(same), self.BATCH)
            ]
            # The costly ones first, so that parallel workers end together.
            batches.sort(key=lambda batch: -batch[0].numel())
            list(self.mapping(lambda batch, group=group: self._step_batch(group, batch), batches))

    @torch.no_grad()
    def _step_batch(self, group: dict, parameters: list[Tensor]):
        directions = []
        for parameter in parameters:
            momentum = self.state[parameter].setdefault("momentum", torch.zeros_like(parameter))
            momentum.lerp_(parameter.grad, 1 - group["momentum"])
            directions.append(parameter.grad.lerp(momentum, group["momentum"]))
        updates = orthogonalise(torch.stack(directions), group["steps"])
        rate = group["lr"] * max(1.0, parameters[0].shape[0] / parameters[0].shape[1]) ** 0.5
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - group["lr"] * group["weight_decay"])
            parameter.add_(update, alpha=-rate)


def orthogonalise(matrices: Tensor, steps: int) -> Tensor:
    """`matrices`: [batch, m, n] -> roughly `U V^T` of each one's `U S V^T`.

    The quintic iteration's coefficients give singular values within about [0.7, 1.2] after five steps.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    x = wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + torch.baddbmm(gram, gram, gram, beta=b, alpha=c) @ x
    return x if wide is matrices else x.mT
