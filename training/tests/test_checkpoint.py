"""The chain-sharded format: names, shapes, files, dtypes, and models made of the first files."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from conftest import make_config, randomised
from huggingface_hub.errors import StrictDataclassClassValidationError
from safetensors import safe_open
from transformers import AutoConfig, AutoModelForCausalLM

from colm import ColmConfig, ColmForCausalLM


@torch.no_grad()
def test_round_trip_through_the_auto_classes(model, tokens, tmp_path):
    model.save_pretrained(tmp_path)
    assert isinstance(AutoConfig.from_pretrained(tmp_path), ColmConfig)
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert isinstance(loaded, ColmForCausalLM)
    for (name, saved), (other, read) in zip(model.state_dict().items(), loaded.state_dict().items(), strict=True):
        assert name == other and torch.equal(saved, read)
    assert torch.equal(model(tokens).logits, loaded(tokens).logits)


@torch.no_grad()
def test_first_files_are_a_smaller_model(model, tokens, tmp_path):
    model.save_pretrained(tmp_path)
    count = len(model.config.chains)
    expected = model(tokens, prefixes=True).prefix_logits
    for k in range(count, 0, -1):
        loaded = ColmForCausalLM.from_pretrained(tmp_path, chains=k)
        torch.testing.assert_close(loaded(tokens).logits, expected[k - 1], rtol=0, atol=2e-5)
        (tmp_path / f"chain-{k}-of-{count}.safetensors").unlink()  # the next, smaller one must do without


def test_names_shapes_and_files(tmp_path):
    config = make_config([2, 4], 2, tie_word_embeddings=False, num_hidden_layers=1)
    ColmForCausalLM(config).save_pretrained(tmp_path)
    layer = "model.layers.0."
    expected = {
        1: {
            "model.embed_tokens.chains.1.weight": [48, 16],
            layer + "self_attn.q_proj.chains.1.weight": [16, 16],
            layer + "self_attn.o_proj.chains.1.weight": [16, 16],
            layer + "self_attn.k_proj.weight": [16, 16],
            layer + "self_attn.v_proj.weight": [16, 16],
            layer + "mlp.gate_proj.chains.1.weight": [48, 16],
            layer + "mlp.up_proj.chains.1.weight": [48, 16],
            layer + "mlp.down_proj.chains.1.weight": [16, 48],
            layer + "input_layernorm.chains.1.weight": [16],
            layer + "post_attention_layernorm.chains.1.weight": [16],
            "model.norm.chains.1.weight": [16],
            "lm_head.chains.1.weight": [48, 16],
        },
        2: {
            "model.embed_tokens.chains.2.weight": [48, 32],
            layer + "self_attn.q_proj.chains.2.weight": [32, 48],
            layer + "self_attn.o_proj.chains.2.weight": [32, 48],
            layer + "mlp.gate_proj.chains.2.weight": [96, 48],
            layer + "mlp.up_proj.chains.2.weight": [96, 48],
            layer + "mlp.down_proj.chains.2.weight": [32, 144],
            layer + "input_layernorm.chains.2.weight": [32],
            layer + "post_attention_layernorm.chains.2.weight": [32],
            "model.norm.chains.2.weight": [32],
            "lm_head.chains.2.weight": [48, 32],
        },
    }
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())["weight_map"]
    for chain, tensors in expected.items():
        with safe_open(tmp_path / f"chain-{chain}-of-2.safetensors", "pt") as file:
            assert {name: file.get_slice(name).get_shape() for name in file.keys()} == tensors
        assert all(index[name] == f"chain-{chain}-of-2.safetensors" for name in tensors)
    assert len(index) == len(expected[1]) + len(expected[2])


def test_config_has_llamas_keys(tmp_path):
    ColmForCausalLM(make_config([2, 4], 2)).save_pretrained(tmp_path, dtype=torch.bfloat16)
    values = json.loads((tmp_path / "config.json").read_text())
    expected = {
        "model_type": "colm",
        "architectures": ["ColmForCausalLM"],
        "chains": [2, 4],
        "kv_sharing": True,
        "hidden_size": 48,
        "intermediate_size": 144,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "num_hidden_layers": 2,
        "head_dim": 8,
        "vocab_size": 48,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "bos_token_id": 0,
        "eos_token_id": 0,
    }
    assert {key: values.get(key) for key in expected} == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@torch.no_grad()
def test_dtype_choice_rounds_and_loads_up(dtype, tmp_path):
    model = randomised(ColmForCausalLM(make_config([2, 2], 2)))
    model.save_pretrained(tmp_path, dtype=dtype)
    half = ColmForCausalLM.from_pretrained(tmp_path)
    full = ColmForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert half.dtype == dtype and full.dtype == torch.float32
    for name, parameter in model.state_dict().items():
        assert torch.equal(full.state_dict()[name], parameter.to(dtype).float())


def test_a_missing_file_is_an_error(tmp_path):
    ColmForCausalLM(make_config([2, 2], 2)).save_pretrained(tmp_path)
    shutil.move(tmp_path / "chain-1-of-2.safetensors", tmp_path / "elsewhere")
    with pytest.raises(FileNotFoundError, match="chain-1-of-2"):
        ColmForCausalLM.from_pretrained(tmp_path, chains=1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chains": [2, 3]}, "sum to num_attention_heads"),
        ({"chains": [2, 2], "num_key_value_heads": 4}, "multiple of num_key_value_heads"),
        ({"chains": [1, 3], "num_key_value_heads": 2, "kv_sharing": False}, "whole groups"),
        ({"chains": [2, 2], "intermediate_size": 97}, "must divide"),
        ({"chains": [2, 2], "head_dim": 7}, "must be hidden_size"),
    ],
)
def test_impossible_shapes_are_refused(changes, message):
    values = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 96}
    with pytest.raises(StrictDataclassClassValidationError, match=message):
        ColmConfig(**{**values, **changes})
