"""A run's checkpoint as a model folder that `transformers` and the server load."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import GenerationConfig, PreTrainedTokenizerFast

from .evaluation import ChainQuality
from .model import ColmForCausalLM
from .tokenizer import END_OF_TEXT

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}


def export_model(
    model: ColmForCausalLM,
    tokenizer: Path,
    folder: Path,
    dtype: torch.dtype,
    trained_context: int,
    qualities: list[ChainQuality] | None = None,
):
    """Writes the chain shards in `dtype`, the configs and the tokenizer. `config.json` keeps what was measured.

    `qualities` must have been measured on weights rounded to `dtype`: they describe the files.
    """
    catena: dict = {"trained_context": trained_context}
    if qualities:
        keys = ("chains", "loss", "perplexity", "parameters", "argmax_agreement", "acceptance")
        rows = [quality.row() for quality in qualities]
        catena["quality"] = [{key: round(row[key], 5) for key in keys} for row in rows]
    model.config.catena = catena
    end = model.config.eos_token_id
    model.generation_config = GenerationConfig(
        bos_token_id=model.config.bos_token_id, eos_token_id=end, do_sample=True, temperature=0.8, top_k=40
    )
    model.save_pretrained(folder, dtype=dtype)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    fast = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_file(str(tokenizer)), bos_token=END_OF_TEXT, eos_token=END_OF_TEXT
    )
    fast.save_pretrained(folder)
    shutil.copyfile(tokenizer, folder / "tokenizer.json")


def rounded(model: ColmForCausalLM, dtype: torch.dtype) -> ColmForCausalLM:
    """Rounds the weights to `dtype` in place, as the files will hold them; computing stays in f32."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype).to(parameter.dtype))
    return model
