"""Text from a model at any chain count."""

from __future__ import annotations

import torch
from tokenizers import Tokenizer

from .model import ColmForCausalLM


@torch.no_grad()
def sample(
    model: ColmForCausalLM,
    tokenizer: Tokenizer,
    prompt: str,
    chains: int,
    length: int = 120,
    temperature: float = 0.8,
    top_k: int = 40,
    seed: int = 0,
) -> str:
    """`prompt` continued by up to `length` tokens from the first `chains` chains; temperature 0 is greedy."""
    torch.manual_seed(seed)
    rule = {"do_sample": True, "temperature": temperature, "top_k": top_k} if temperature else {"do_sample": False}
    ids = torch.tensor([tokenizer.encode(prompt).ids or [model.config.bos_token_id]], device=model.device)
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=length,
        pad_token_id=model.config.eos_token_id,
        chains=chains,
        **rule,
    )
    return tokenizer.decode(out[0].tolist())
