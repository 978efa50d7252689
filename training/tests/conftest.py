"""Small models that the tests share."""

from __future__ import annotations

import pytest
import torch

from colm import ColmConfig, ColmForCausalLM


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def make_config(chains: list[int], kv_heads: int, head_dim: int = 8, **changes) -> ColmConfig:
    """A two-layer model of 48 tokens; F = 3 D."""
    heads = sum(chains)
    values = {
        "vocab_size": 48,
        "hidden_size": heads * head_dim,
        "intermediate_size": 3 * heads * head_dim,
        "num_hidden_layers": 2,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "chains": chains,
        "max_position_embeddings": 64,
        "initializer_range": 0.2,
    }
    return ColmConfig(**{**values, **changes})


CONFIGS = {
    "llama": make_config([4], 4),
    "llama-gqa": make_config([4], 2),
    "air-2": make_config([2, 2], 2),
    "air-4": make_config([2, 2, 2, 2], 2),
    "air-4-untied": make_config([2, 2, 2, 2], 2, tie_word_embeddings=False),
    "air-unequal": make_config([2, 6, 4], 2),
    "colm-4": make_config([2, 2, 2, 2], 4, kv_sharing=False),
    "colm-unequal": make_config([2, 4, 2], 4, kv_sharing=False, tie_word_embeddings=False),
}


@pytest.fixture(params=CONFIGS, ids=str)
def config(request) -> ColmConfig:
    """Every kind of shape."""
    return ColmConfig.from_dict(CONFIGS[request.param].to_dict())


@pytest.fixture
def model(config) -> ColmForCausalLM:
    """A model of that shape with norms that are not all one."""
    return randomised(ColmForCausalLM(config))


def randomised(model: ColmForCausalLM) -> ColmForCausalLM:
    """Gives the norm weights values of their own, so that a wrong one shows."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.fixture
def tokens(config) -> torch.Tensor:
    """[2, 20] random tokens."""
    return torch.randint(0, config.vocab_size, (2, 20))
