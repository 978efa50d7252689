"""The small commands, run as the shell runs them but in this process."""

from __future__ import annotations

import json

import pytest
import torch
from conftest import make_config, randomised
from tokenizers import Tokenizer

from colm import ColmForCausalLM, evaluate, expand, fixtures, sample
from colm.export import export_model
from colm.tokenizer import train_tokenizer


@pytest.fixture
def folder(tmp_path):
    """A model folder with a tokenizer of 300 tokens, and `text.txt` beside it."""
    text = tmp_path / "text.txt"
    text.write_text("The cat sat on the mat.\n" * 30)
    train_tokenizer([text], 300, 10_000).save(str(tmp_path / "tokenizer.json"))
    vocabulary = Tokenizer.from_file(str(tmp_path / "tokenizer.json")).get_vocab_size()
    model = randomised(ColmForCausalLM(make_config([2, 2], 2, vocab_size=vocabulary)))
    export_model(model, tmp_path / "tokenizer.json", tmp_path / "model", torch.float32, trained_context=64)
    return tmp_path


def run(monkeypatch, capsys, command, *arguments) -> str:
    monkeypatch.setattr("sys.argv", ["command", *map(str, arguments)])
    command.main()
    return capsys.readouterr().out


def test_evaluate(folder, monkeypatch, capsys):
    arguments = [folder / "model", folder / "text.txt", "--context", "32"]
    rows = [json.loads(line) for line in run(monkeypatch, capsys, evaluate, *arguments, "--json").splitlines()]
    assert [row["chains"] for row in rows] == [1, 2]
    table = run(monkeypatch, capsys, evaluate, *arguments).splitlines()
    assert len(table) == 3 and f"{rows[1]['loss']:.4f}" in table[2]


def test_sample(folder, monkeypatch, capsys):
    arguments = [folder / "model", "The cat", "--length", "6", "--temperature", "0"]
    out = run(monkeypatch, capsys, sample, *arguments)
    assert out.startswith("[1 chains] The cat") and "[2 chains] The cat" in out
    assert run(monkeypatch, capsys, sample, *arguments, "--chains", "2").strip() in out


@torch.no_grad()
def test_expand(folder, monkeypatch, capsys):
    run(monkeypatch, capsys, expand, folder / "model", folder / "bigger", "--add", "4")
    base, bigger = (ColmForCausalLM.from_pretrained(folder / name) for name in ("model", "bigger"))
    tokens = torch.arange(20)[None]
    assert bigger.config.chains == [2, 2, 4]
    torch.testing.assert_close(bigger(tokens).logits, base(tokens).logits, rtol=0, atol=2e-5)
    assert (folder / "bigger" / "tokenizer.json").read_text() == (folder / "tokenizer.json").read_text()


def test_fixtures_are_the_same_every_time(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(fixtures, "CASES", fixtures.CASES[:1])
    for name in ("a", "b"):
        run(monkeypatch, capsys, fixtures, tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 5
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
