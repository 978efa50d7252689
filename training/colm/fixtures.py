"""Random tiny checkpoints with the logits and K/V they must give: `python -m colm.fixtures Tests/Fixtures/models`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import DynamicCache

from .config import ColmConfig
from .model import ColmForCausalLM


@dataclass
class Case:
    """One checkpoint and the token sequence it is tried on."""

    name: str
    chains: list[int]
    kv_heads: int
    dtype: torch.dtype = torch.float32
    tied: bool = True
    kv_sharing: bool = True
    head_dim: int = 8
    layers: int = 2
    vocabulary: int = 96
    length: int = 40
    positions: list[int] = field(default_factory=list)

    def config(self) -> ColmConfig:
        """The case's shape: F = 3 D, and a RoPE base small enough to turn every pair within the sequence."""
        heads = sum(self.chains)
        return ColmConfig(
            vocab_size=self.vocabulary,
            hidden_size=heads * self.head_dim,
            intermediate_size=heads * self.head_dim * 3,
            num_hidden_layers=self.layers,
            num_attention_heads=heads,
            num_key_value_heads=self.kv_heads,
            chains=self.chains,
            kv_sharing=self.kv_sharing,
            max_position_embeddings=512,
            rope_theta=1000.0,
            tie_word_embeddings=self.tied,
        )


CASES = [
    Case("llama-1-f32", [4], 4, tied=False),
    Case("llama-1-gqa-tied-f16", [8], 2, dtype=torch.float16),
    Case("air-2-f32", [2, 2], 2),
    Case("air-4-untied-f32", [2, 2, 2, 2], 2, tied=False),
    Case("air-4-bf16", [2, 2, 2, 2], 2, dtype=torch.bfloat16),
    Case("air-4-gqa-f16", [4, 4, 4, 4], 1, dtype=torch.float16, head_dim=4),
    Case("air-unequal-f32", [2, 4, 2], 2),
    Case("air-unequal-untied-bf16", [4, 2, 6], 2, dtype=torch.bfloat16, tied=False, vocabulary=101),
    Case("colm-3-unequal-f32", [2, 4, 2], 4, kv_sharing=False),
    Case(
        "air-4-long-f32",
        [2, 2, 2, 2],
        2,
        layers=3,
        length=300,
        positions=[0, 1, 2, 63, 64, 127, 128, 200, 255, 256, 298, 299],
    ),
]


def build(case: Case, seed: int) -> ColmForCausalLM:
    """Weights of a scale at which logits reach several units, rounded to the case's dtype and computed in f32."""
    generator = torch.Generator().manual_seed(seed)
    model = ColmForCausalLM(case.config()).eval()
    with torch.no_grad():
        for name, parameter in sorted(model.named_parameters()):
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                value = 1 + 0.2 * noise
            elif "embed_tokens" in name or "lm_head" in name:
                value = 0.5 * noise
            else:
                value = 1.4 * noise / parameter.shape[1] ** 0.5
            parameter.copy_(value.to(case.dtype).float())
    return model


@torch.no_grad()
def expected(model: ColmForCausalLM, case: Case, seed: int) -> dict[str, Tensor]:
    """What the case must give: `tokens` [T], `positions` [P], `logits.k{k}` [P, V] at those positions of the sequence.

    For CoLM-Air also `kv.k` (after RoPE) and `kv.v` [L, T, H_kv*head_dim].
    """
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, case.vocabulary, (1, case.length), generator=generator)
    positions = torch.tensor(case.positions or range(case.length))
    tensors = {"tokens": tokens[0].int(), "positions": positions.int()}
    for k in range(1, len(case.chains) + 1):
        tensors[f"logits.k{k}"] = model(tokens, chains=k).logits[0, positions].contiguous()
    if case.kv_sharing:
        cache = DynamicCache()
        model.model(tokens, chains=1, cache=cache)
        tensors["kv.k"] = torch.stack([layer.keys[0].transpose(0, 1).flatten(1) for layer in cache.layers])
        tensors["kv.v"] = torch.stack([layer.values[0].transpose(0, 1).flatten(1) for layer in cache.layers])
    return tensors


def write_fixtures(folder: Path):
    """Every case under `folder`."""
    for number, case in enumerate(CASES):
        model = build(case, seed=1000 + number)
        model.save_pretrained(folder / case.name, dtype=case.dtype)
        save_file(expected(model, case, seed=2000 + number), folder / case.name / "expected.safetensors")


def main():
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    write_fixtures(parser.parse_args().folder)


if __name__ == "__main__":
    main()
