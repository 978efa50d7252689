"""The committed fixtures are what this code gives, and try what they say they try."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

from colm import ColmForCausalLM
from colm.fixtures import CASES, build, expected

FIXTURES = Path(__file__).parents[2] / "Tests" / "Fixtures"


@pytest.mark.parametrize("number", range(len(CASES)), ids=[case.name for case in CASES])
def test_model_fixture(number):
    case, folder = CASES[number], FIXTURES / "models" / CASES[number].name
    model = ColmForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    seeded = build(case, seed=1000 + number).state_dict()
    assert all(torch.equal(tensor, seeded[name]) for name, tensor in model.state_dict().items())
    stored = load_file(folder / "expected.safetensors")
    for name, tensor in expected(model, case, seed=2000 + number).items():
        torch.testing.assert_close(tensor, stored[name], rtol=0, atol=1e-4, msg=name)
    assert 1 < stored["logits.k1"].std() < 10


@pytest.mark.parametrize("name", ["catena", "gpt2style"])
def test_tokenizer_fixture(name):
    tokenizer = Tokenizer.from_file(str(FIXTURES / "tokenizers" / name / "tokenizer.json"))
    lines = gzip.decompress((FIXTURES / "tokenizers" / name / "strings.jsonl.gz").read_bytes()).decode().split("\n")
    entries = [json.loads(line) for line in lines if line]
    assert sum(entry["text"] is not None for entry in entries) == 10_000
    for entry in entries:
        if entry["text"] is not None:
            assert tokenizer.encode(entry["text"], add_special_tokens=False).ids == entry["ids"]
            assert entry["decoded"] == entry["text"]
        assert tokenizer.decode(entry["ids"], skip_special_tokens=False) == entry["decoded"]
    assert sum("\ufffd" in entry["decoded"] for entry in entries if entry["text"] is None) > 100
