"""Loss, perplexity and agreement of every chain count on a text: the definition `catena eval` must reproduce."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from .checkpoint import chain_of
from .model import ColmForCausalLM

CONTEXT = 512
"""Tokens a window feeds; part of the definition, whatever the model's own context."""


@dataclass
class ChainQuality:
    """What the first `chains` chains score. Losses are means in nats."""

    chains: int
    parameters: int
    loss: float
    perplexity: float
    loss_per_byte: float
    perplexity_per_byte: float
    argmax_agreement: float
    acceptance: float

    def row(self) -> dict:
        """As plain data."""
        return asdict(self)


def evaluate(
    model: ColmForCausalLM,
    tokens: np.ndarray,
    text_bytes: int,
    context: int = CONTEXT,
    batch: int = 8,
    limit: int | None = None,
    skip: int = 0,
) -> list[ChainQuality]:
    """Scores `tokens` in consecutive windows; window `i` is `tokens[i*C : i*C + C + 1]` and predicts its last `C`.

    `C` is `context`; the last, shorter window counts. The mean is over all predicted tokens.
    `argmax_agreement` is the share of positions where the chain count's best token is the full model's, `acceptance`
    the mean of 1 - total variation distance to the full model. `limit` scores only the first windows, `skip` leaves
    out the first predictions of each window (to see what a longer context is worth).
    """
    count = len(model.config.chains)
    windows = [tokens[start : start + context + 1] for start in range(0, len(tokens) - 1, context)][:limit]
    sums = torch.zeros(3, count, dtype=torch.float64)
    scored = 0
    for start in range(0, len(windows), batch):
        group = windows[start : start + batch]
        for same in ([w for w in group if len(w) == context + 1], [w for w in group if len(w) <= context]):
            if same:
                rows = torch.from_numpy(np.stack(same).astype(np.int64)).to(model.device)
                sums += _score(model, rows, skip)
                scored += rows[:, 1 + skip :].numel()
    bytes_scored = text_bytes * scored / max(len(tokens) - 1, 1)
    qualities = []
    for k in range(count):
        nll, agree, overlap = sums[:, k].tolist()
        per_byte = nll / bytes_scored
        qualities.append(
            ChainQuality(
                chains=k + 1,
                parameters=parameter_count(model, k + 1),
                loss=nll / scored,
                perplexity=math.exp(nll / scored),
                loss_per_byte=per_byte,
                perplexity_per_byte=math.exp(per_byte),
                argmax_agreement=agree / scored,
                acceptance=overlap / scored,
            )
        )
    return qualities


@torch.no_grad()
def _score(model: ColmForCausalLM, rows: Tensor, skip: int) -> Tensor:
    """`rows`: [B, C + 1] -> [3, n]: sums of NLL, argmax agreement and overlap with the full model."""
    logits = [part[:, skip:] for part in model(rows[:, :-1], prefixes=True).prefix_logits]
    targets = rows[:, 1 + skip :, None]
    full = logits[-1].float().softmax(-1)
    best = full.argmax(-1)
    sums = torch.zeros(3, len(logits), dtype=torch.float64)
    for k, part in enumerate(logits):
        log_p = part.float().log_softmax(-1)
        sums[0, k] = -log_p.gather(-1, targets).double().sum()
        sums[1, k] = (log_p.argmax(-1) == best).sum()
        sums[2, k] = torch.minimum(log_p.exp(), full).sum(dtype=torch.float64)
    return sums


def parameter_count(model: ColmForCausalLM, chains: int) -> int:
    """Parameters of the first `chains` chains."""
    return sum(parameter.numel() for name, parameter in model.named_parameters() if chain_of(name) <= chains)
