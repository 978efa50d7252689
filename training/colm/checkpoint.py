"""The chain-sharded checkpoint: `chain-i-of-n.safetensors` holds every tensor of chain `i`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .config import ColmConfig

INDEX = "model.safetensors.index.json"
_CHAIN = re.compile(r"\.chains\.(\d+)\.")


def chain_of(name: str) -> int:
    """The chain, from 1, that a tensor belongs to; CoLM-Air's K and V projections belong to chain 1."""
    match = _CHAIN.search(name)
    return int(match.group(1)) if match else 1


def shard_name(chain: int, count: int) -> str:
    """The file of chain `chain` (from 1) of `count`."""
    return f"chain-{chain}-of-{count}.safetensors"


def save(model, folder: Path, dtype: torch.dtype | None = None):
    """Writes `config.json`, `generation_config.json`, the index and one file a chain."""
    folder.mkdir(parents=True, exist_ok=True)
    count = len(model.config.chains)
    shards: dict[int, dict[str, Tensor]] = {chain: {} for chain in range(1, count + 1)}
    for name, tensor in model.state_dict().items():
        shards[chain_of(name)][name] = tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
    index = {"metadata": {"total_size": 0}, "weight_map": {}}
    for chain, tensors in shards.items():
        file = shard_name(chain, count)
        save_file(tensors, folder / file, metadata={"format": "pt"})
        (folder / file).chmod(0o644)  # safetensors writes files that only their owner reads
        index["metadata"]["total_size"] += sum(tensor.nbytes for tensor in tensors.values())
        index["weight_map"].update({name: file for name in sorted(tensors)})
    (folder / INDEX).write_text(json.dumps(index, indent=2) + "\n")
    write_config(model.config, folder, dtype or next(model.parameters()).dtype)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)


def write_config(config: ColmConfig, folder: Path, dtype: torch.dtype):
    """`config.json` with Llama's keys, those that `transformers` adds for itself left out."""
    name = str(dtype).removeprefix("torch.")
    values = {"architectures": ["ColmForCausalLM"], **config.to_diff_dict(), **_shape(config)}
    values.update(dtype=name, torch_dtype=name)
    (folder / "config.json").write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")


def _shape(config: ColmConfig) -> dict:
    keys = (
        "model_type vocab_size hidden_size intermediate_size num_hidden_layers num_attention_heads "
        "num_key_value_heads head_dim chains kv_sharing hidden_act max_position_embeddings rms_norm_eps rope_theta "
        "bos_token_id eos_token_id tie_word_embeddings initializer_range"
    )
    return {key: getattr(config, key) for key in keys.split()}


def read_chains(folder: Path, chains: Iterable[int], count: int) -> dict[str, Tensor]:
    """The tensors of the chains asked for, by name."""
    tensors: dict[str, Tensor] = {}
    for chain in chains:
        tensors.update(load_file(folder / shard_name(chain, count)))
    return tensors


def load_prefix(model_class, folder: Path, chains: int, dtype: torch.dtype | None):
    """The first `chains` chains of a checkpoint as a complete smaller model; the other files are not opened."""
    config = ColmConfig.from_pretrained(folder)
    tensors = read_chains(folder, range(1, chains + 1), len(config.chains))
    model = model_class(config.prefix(chains))
    model.to(dtype or next(iter(tensors.values())).dtype)
    model.load_state_dict(tensors)
    return model.eval()
