"""The trainer: it learns, resumes bit for bit, and its parts do what they say."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from transformers import AutoModelForCausalLM

from colm import train
from colm.curves import draw_curves
from colm.muon import orthogonalise
from colm.optimizers import make_optimizers
from colm.options import TrainingOptions
from colm.schedule import rate_factor
from colm.tokenizer import END_OF_TEXT, train_tokenizer
from colm.trainer import Trainer

TEXT = "".join(f"The {animal} sat on the {place} and was glad of it.\n" for animal in ("cat", "dog", "hen") for place in
               ("mat", "hill", "wall", "step", "sea", "bed"))  # fmt: skip


@pytest.fixture
def options(tmp_path) -> TrainingOptions:
    """A run of seconds: two chains, 300 tokens, windows of 16."""
    text = tmp_path / "text.txt"
    text.write_text(TEXT * 12 + END_OF_TEXT + TEXT * 3)
    run = tmp_path / "run"
    run.mkdir()
    train_tokenizer([text], 300, 100_000).save(str(run / "tokenizer.json"))
    return TrainingOptions(
        run=run, text=[text], valid=text, hidden_size=32, heads=4, kv_heads=2, chains=[2, 2], layers=2,
        intermediate_size=64, context=16, batch=4, steps=12, log_every=1, valid_windows=4,
    )  # fmt: skip


def losses(run) -> list[list[float]]:
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [line["losses"] for line in lines if line["kind"] == "train"]


@pytest.mark.parametrize("optimizer", ["muon", "adamw"])
def test_training_lowers_the_loss_of_every_prefix(options, optimizer):
    Trainer(replace(options, optimizer=optimizer, steps=60, lr=1e-2, batch=8)).run()
    history = losses(options.run)
    assert len(history) == 60
    for k in range(2):
        assert history[-1][k] < 0.5 * history[0][k]


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "adamw", "prefixes": "random", "micro_batch": 16, "distill": 0.3}]
)
def test_resume_is_bit_exact(options, changes, tmp_path):
    options = replace(options, **changes)
    Trainer(options).run()
    whole = losses(options.run)
    parts = replace(options, run=tmp_path / "parts", tokenizer=options.tokenizer_path)
    Trainer(parts).run(stop_after=5)
    torch.manual_seed(99)
    resumed = Trainer(parts)
    resumed.restore()
    assert resumed.step == 5
    resumed.run()
    assert losses(parts.run) == whole
    first, second = (torch.load(run / "state.pt", weights_only=False)["model"] for run in (options.run, parts.run))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_options_of_a_resumed_run_win(options):
    Trainer(options).run(stop_after=2)
    resumed = Trainer(replace(options, matrix_lr=0.5, lr=0.25, muon_steps=3, warmup=0.0))
    resumed.restore()
    resumed.train_step()
    muon, adamw = (optimizer.param_groups[0] for optimizer in resumed.optimizers)
    assert (muon["lr"], muon["steps"], adamw["lr"]) == (0.5, 3, 0.25)


def test_micro_batches_and_workers_add_up_to_the_whole_batch(options, tmp_path):
    gradients = []
    threads = torch.get_num_threads()
    for name, changes in (
        ("whole", {}),
        ("micro", {"micro_batch": 16}),
        ("workers", {"micro_batch": 16, "workers": 2}),
    ):
        trainer = Trainer(replace(options, run=tmp_path / name, tokenizer=options.tokenizer_path, clip=1e9, **changes))
        trainer.train_step()
        gradients.append({name: parameter.grad for name, parameter in trainer.model.named_parameters()})
    torch.set_num_threads(threads)
    for other in gradients[1:]:
        for name, gradient in gradients[0].items():
            torch.testing.assert_close(other[name], gradient, rtol=1e-4, atol=1e-6)


def test_pieces_shorten_the_sequences_at_first(options):
    trainer = Trainer(replace(options, pieces=["4:0.5"], steps=4))
    shapes = []
    trainer.model.model.register_forward_pre_hook(lambda _, inputs: shapes.append(tuple(inputs[0].shape)))
    trainer.run()
    assert shapes == [(16, 4), (16, 4), (4, 16), (4, 16)]


def test_random_prefixes_train_one_lower_prefix_and_the_full_model(options):
    trainer = Trainer(
        replace(
            options,
            chains=[2, 2, 2],
            heads=6,
            hidden_size=48,
            intermediate_size=96,
            prefixes="random",
            weights=[1, 1, 2],
        )
    )
    drawn = {tuple(trainer._step_weights()) for _ in range(50)}
    assert drawn == {(0.5, 0.0, 0.5), (0.0, 0.5, 0.5)}


def test_minutes_end_a_run_by_training_time(options):
    trainer = Trainer(replace(options, minutes=0.01))
    trainer.run()
    assert trainer.progress >= 1 and 0.6 <= trainer.seconds < 5


def test_command_writes_model_samples_and_curves(options, monkeypatch):
    monkeypatch.setattr(train, "parse_options", lambda: options)
    train.main()
    folder = options.run / "model"
    config = json.loads((folder / "config.json").read_text())
    assert config["catena"]["trained_context"] == 16
    assert [row["chains"] for row in config["catena"]["quality"]] == [1, 2]
    assert AutoModelForCausalLM.from_pretrained(folder).dtype == torch.bfloat16
    assert "[2 chains]" in (options.run / "samples.txt").read_text()
    assert (options.run / "curves.png").stat().st_size > 5000
    assert draw_curves(options.run).exists()


def test_options_from_the_command_line(monkeypatch, tmp_path):
    line = f"train a.txt b.txt --run {tmp_path} --chains 2 6 --heads 8 --minutes 3 --weights 1 2 --untied --valid v.txt"
    monkeypatch.setattr("sys.argv", line.split())
    options = train.parse_options()
    assert [path.name for path in options.text] == ["a.txt", "b.txt"]
    assert (options.chains, options.minutes, options.untied, options.valid.name) == ([2, 6], 3.0, True, "v.txt")
    assert options.prefix_weights() == [1 / 3, 2 / 3]
    assert options.tokenizer_path == tmp_path / "tokenizer.json"


def test_schedules():
    for schedule in ("cosine", "linear", "wsd"):
        values = [rate_factor(schedule, p / 100, 0.1, 0.5, 0.05) for p in range(101)]
        assert values[5] == pytest.approx(0.5)
        assert max(values) == 1 and values[-1] == pytest.approx(0.05)
        assert all(a >= b for a, b in zip(values[10:], values[11:], strict=False))
    assert rate_factor("wsd", 0.5, 0.1, 0.5, 0) == 1
    assert rate_factor("wsd", 0.75, 0.1, 0.5, 0) == pytest.approx(0.5)
    assert rate_factor("linear", 0.55, 0.1, 0.5, 0) == pytest.approx(0.5)
    assert rate_factor("cosine", 0.325, 0.1, 0.5, 0) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))
    with pytest.raises(ValueError, match="schedule"):
        rate_factor("step", 0.5, 0.1, 0.5, 0)


@pytest.mark.parametrize("shape", [(3, 16, 40), (2, 40, 16), (1, 16, 16)])
def test_orthogonalise(shape):
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape), 5))
    assert values.max() < 1.3 and values[:, : 12].min() > 0.5  # fmt: skip


def test_every_parameter_has_one_optimizer(options):
    model = Trainer(options).model
    for name, count in (("adamw", 1), ("muon", 2)):
        optimizers = make_optimizers(model, name, 1e-3, 1e-2, 0.1, (0.9, 0.95))
        assert len(optimizers) == count
        owned = [id(p) for optimizer in optimizers for group in optimizer.param_groups for p in group["params"]]
        assert sorted(owned) == sorted(id(p) for p in model.parameters())
