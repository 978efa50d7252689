"""The evaluation, against its definition written plainly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from conftest import make_config, randomised

from colm import ColmForCausalLM
from colm.evaluation import evaluate


@pytest.mark.parametrize("skip", [0, 5])
@torch.no_grad()
def test_scores_are_those_of_the_definition(skip):
    model = randomised(ColmForCausalLM(make_config([2, 2, 2], 2)))
    tokens = np.random.default_rng(0).integers(0, 48, 75).astype(np.uint16)
    qualities = evaluate(model, tokens, text_bytes=300, context=16, batch=3, skip=skip)
    for k, quality in enumerate(qualities, start=1):
        nll, agree, overlap = [], [], []
        for start in range(0, 74, 16):
            window = torch.from_numpy(tokens[start : start + 17].astype(np.int64))[None]
            full = model(window[:, :-1]).logits.softmax(-1)
            p = model(window[:, :-1], chains=k).logits.softmax(-1)
            nll += (-p.gather(-1, window[:, 1:, None]).log())[:, skip:].flatten().tolist()
            agree += (p.argmax(-1) == full.argmax(-1))[:, skip:].flatten().tolist()
            overlap += (1 - (p - full).abs().sum(-1) / 2)[:, skip:].flatten().tolist()
        assert len(nll) == 74 - 5 * skip
        assert quality.chains == k
        assert quality.loss == pytest.approx(sum(nll) / len(nll), abs=1e-5)
        assert quality.perplexity == pytest.approx(math.exp(sum(nll) / len(nll)), rel=1e-5)
        assert quality.loss_per_byte == pytest.approx(sum(nll) / 300 * 74 / len(nll), abs=1e-5)
        assert quality.argmax_agreement == pytest.approx(sum(agree) / len(nll))
        assert quality.acceptance == pytest.approx(sum(overlap) / len(nll), abs=1e-5)
    assert qualities[-1].argmax_agreement == 1
    assert qualities[-1].parameters == sum(parameter.numel() for parameter in model.parameters())
    assert qualities[0].parameters < qualities[1].parameters < qualities[2].parameters
