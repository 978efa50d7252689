"""The bundled model: its folder is whole, and it is what its config says it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from colm import ColmForCausalLM
from colm.evaluation import evaluate, parameter_count
from colm.sampling import sample
from colm.tokens import encode_text

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "Models" / "catena-fable-16m"
PROSE = (
    'The old man looked at her for a moment, and then he turned to the window. "I do not know what you mean," he said. '
    "She did not answer him at once; but when she spoke, her voice was very low, and there were tears in her eyes.\n"
)


@pytest.fixture(scope="module")
def model() -> ColmForCausalLM:
    return ColmForCausalLM.from_pretrained(FOLDER, dtype=torch.float32).eval()


@pytest.fixture(scope="module")
def quality() -> list[dict]:
    return json.loads((FOLDER / "config.json").read_text())["catena"]["quality"]


def test_losses_fall_from_chain_to_chain(quality):
    losses = [row["loss"] for row in quality]
    assert len(losses) == 4
    assert all(lower > upper for lower, upper in zip(losses, losses[1:], strict=False))


def test_quality_describes_these_files(model, quality):
    assert [row["parameters"] for row in quality] == [parameter_count(model, k) for k in range(1, 5)]
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    scores = evaluate(model, encode_text(PROSE, tokenizer), len(PROSE))
    # A paragraph of common words is easier than a whole book, and far easier than chance (8.3 nats).
    for row, score in zip(quality, scores, strict=True):
        assert 2 < score.loss < row["loss"]


def test_weights_are_bf16_in_one_file_a_chain():
    sizes = [(FOLDER / f"chain-{i}-of-4.safetensors").stat().st_size for i in range(1, 5)]
    assert 31_000_000 < sum(sizes) < 32_500_000
    assert ColmForCausalLM.from_pretrained(FOLDER, chains=1).dtype == torch.bfloat16


def test_fixture_has_the_bundled_tokenizer():
    fixture = ROOT / "Tests" / "Fixtures" / "tokenizers" / "catena" / "tokenizer.json"
    assert json.loads(fixture.read_text()) == json.loads((FOLDER / "tokenizer.json").read_text())


def test_every_size_writes_words(model):
    tokenizer = Tokenizer.from_file(str(FOLDER / "tokenizer.json"))
    for chains in range(1, 5):
        text = sample(model, tokenizer, "Once upon a time", chains, length=20)
        assert text.startswith("Once upon a time") and len(text.split()) > 8
