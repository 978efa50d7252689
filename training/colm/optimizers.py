"""Which parameters learn by which rule."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn
from torch.optim import AdamW, Optimizer

from .muon import Muon


def make_optimizers(
    model: nn.Module,
    name: str,
    lr: float,
    matrix_lr: float,
    weight_decay: float,
    betas: tuple[float, float],
    mapping: Callable = map,
    muon_steps: int = 5,
) -> list[Optimizer]:
    """`adamw`: AdamW for all, decay on matrices. `muon`: Muon for the body's matrices, AdamW for tables and norms.

    `mapping` is `map` or an executor's.
    """
    tables, vectors, matrices = [], [], []
    for parameter_name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        if parameter.dim() < 2:
            vectors.append(parameter)
        elif "embed_tokens" in parameter_name or "lm_head" in parameter_name:
            tables.append(parameter)
        else:
            matrices.append(parameter)
    fused = {"fused": True, "betas": betas, "lr": lr}
    if name == "adamw":
        groups = [
            {"params": tables + vectors, "weight_decay": 0.0},
            {"params": matrices, "weight_decay": weight_decay},
        ]
        return [AdamW(groups, **fused)]
    if name == "muon":
        plain = AdamW(tables + vectors, weight_decay=0.0, **fused)
        return [Muon(matrices, lr=matrix_lr, weight_decay=weight_decay, steps=muon_steps, mapping=mapping), plain]
    raise ValueError(f"optimizer {name!r} must be 'adamw' or 'muon'")


def set_rate(optimizers: list[Optimizer], factor: float):
    """Scales every group's learning rate to `factor` of its first value."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
            group["lr"] = group["initial_lr"] * factor


def clip_gradients(model: nn.Module, limit: float) -> float:
    """Scales all gradients so that their joint norm is at most `limit`; gives the norm before."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return float(torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True))
